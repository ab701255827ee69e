//! Opening the full-screen console.

use super::{Failure, Outcome, args::Global, clock, given, operation, relay::Background};
use crate::{
    config::{self, Settings, Target, choose},
    ops::operator::Operator,
    session,
    tui::{
        app,
        runtime::{self, Options},
        screens::Screens,
        services::Services,
        term::caps::{Caps, Env},
        ui::{action::Keys, theme::Theme},
    },
};

/// Runs the console, at a link if one is given.
pub(super) async fn open(
    global: &Global,
    settings: &Settings,
    link: Option<&str>,
) -> color_eyre::Result<Outcome> {
    let (mut options, target) = match options(global, settings, link) {
        Ok(options) => options,
        Err(failure) => return Ok(Err(failure)),
    };
    // Whoever only looks delivers nothing either.
    let background =
        if options.policy.read_only { Ok(None) } else { Background::start(&target, settings) };
    let relay = match background {
        Ok(relay) => relay,
        Err(failure) => return Ok(Err(failure)),
    };
    options.relay = relay.as_ref().map(Background::stats);
    let ended = Box::pin(runtime::run(options)).await;
    if let Some(relay) = relay {
        relay.end().await;
    }
    let ended = ended?;
    Ok(ended.map_err(|ended| Failure { message: ended.message, code: ended.code }))
}

fn options(
    global: &Global,
    settings: &Settings,
    link: Option<&str>,
) -> Result<(Options, Target), Failure> {
    let mut given = given(global);
    let mut route = None;
    let screens = Screens::default();
    if let Some(link) = link {
        let (context, place) = screens.read(link).map_err(|error| {
            let known = link.starts_with("ops://") || link.starts_with("http");
            if config::has_password(link) || (!known && config::is_address_like(link)) {
                return config::Error::AddressMisplaced.into();
            }
            Failure::usage(format!("{link:?} is {error}"))
        })?;
        // A link names its database, unless the command line does; `database` is whatever the
        // environment names.
        if given.url.is_none() && given.context.is_none() && context != "database" {
            given.context = Some(context);
        }
        route = Some(place);
    }
    let context = choose(&given, settings)?;
    let theme = global.theme.as_ref().or(settings.file.theme.as_ref());
    let theme = theme.map(|name| {
        let known = Theme::ALL.map(|theme| theme.name).join(", ");
        Theme::named(name).ok_or_else(|| {
            Failure::usage(format!("there is no theme {name:?}; choose one of {known}"))
        })
    });
    let keys = Keys::new(settings.keys.clone());
    let problems = keys.problems(&app::bindings(&screens, &keys));
    if !problems.is_empty() {
        let path = settings.path.display();
        return Err(Failure::usage(format!("{path}, [keys]:\n  {}", problems.join("\n  "))));
    }
    let policy = session::policy(&context, settings, global.read_only);
    // The role is known once the database is open.
    let operator = Operator::new(global.operator.as_deref(), "")
        .map_err(|error| Failure::usage(error.to_string()))?;
    let limits = super::open::limits(settings);
    let watch = super::open::watch(settings);
    // The console lives without a broker; where one is needed, it says why there is none.
    let broker = operation::broker(None, settings).map_err(|failure| failure.message);
    let target = context.target.clone();
    let options = Options {
        services: Services::new(
            context,
            limits,
            operator,
            policy.clone(),
            (watch, broker),
            clock::handed(),
        ),
        caps: Caps::new(&Env::read(), theme.transpose()?),
        keys,
        mouse: settings.file.mouse.unwrap_or(true),
        zone: settings.zone,
        interval: settings.interval,
        policy,
        route,
        relay: None,
    };
    Ok((options, target))
}
