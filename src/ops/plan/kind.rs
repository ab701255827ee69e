//! The kinds of write there are: what each reads first, does in its transaction, and says of it. Planning and
//! running know only this.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Done, Error, Intent, Moved, Plan, Relied, Request, Writer, checks};
use crate::{
    db::{
        self,
        audit::Recorded,
        write::{Opening, Surroundings, Tx, surroundings},
    },
    domain::decide::Command,
    ops::{command, deeds},
};

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    pub writer: &'a Writer,
    pub request: &'a Request,
    /// What a plan relied on.
    pub relied: Option<&'a Relied>,
    pub now: DateTime<Utc>,
    /// It will be rolled back: nothing is drawn from a sequence and nothing recorded.
    pub dry: bool,
}

/// What was read before the transaction began.
#[derive(Debug)]
pub enum Ahead {
    /// With what goes on around the order, for a plan.
    Command(Box<command::Ahead>, Option<Box<Surroundings>>),
    OutboxAction,
}

/// What was written.
#[derive(Debug)]
pub enum Work {
    Command(Box<command::Work>),
    OutboxAction(Box<deeds::Work>),
}

/// What became of a task.
#[derive(Debug)]
pub enum Performed {
    /// The same operation was done before.
    Repeated(Done),
    Written(Work),
}

impl<'a> Task<'a> {
    const fn commanding(&self, command: &'a Command) -> command::Task<'a> {
        let Self { writer, request, relied, now, dry } = *self;
        command::Task { writer, request, command, origin: None, relied, now, dry }
    }

    /// What is asked before anything else: whether this operator may do that here.
    pub fn allowed(&self) -> Result<(), Error> {
        command::allowed(self.writer, self.request.intent.name())
    }

    /// Reads what may take too long to hold a lock meanwhile.
    pub async fn ahead(&self, conn: &mut PgConnection) -> Result<Ahead, db::Error> {
        let Intent::Command(command) = &self.request.intent else { return Ok(Ahead::OutboxAction) };
        let around = if self.dry {
            Some(Box::new(surroundings(conn, &self.writer.layout).await?))
        } else {
            None
        };
        let ahead = command::Ahead::read(conn, self.writer, command).await?;
        Ok(Ahead::Command(Box::new(ahead), around))
    }

    /// Writes everything in the caller's transaction. After an error it has to be rolled back.
    pub async fn perform(&self, tx: &mut Tx<'_>, ahead: &Ahead) -> Result<Performed, Error> {
        match (&self.request.intent, ahead) {
            (Intent::Command(command), ahead) => {
                let nothing = command::Ahead::default();
                let ahead = match ahead {
                    Ahead::Command(ahead, _) => ahead,
                    Ahead::OutboxAction => &nothing,
                };
                Ok(match command::perform(tx, &self.commanding(command), ahead).await? {
                    command::Performed::Repeated(done) => Performed::Repeated(done),
                    command::Performed::Written(work) => Performed::Written(Work::Command(work)),
                })
            }
            (Intent::Messages(deed), _) => deeds::perform(tx, self, deed).await,
        }
    }

    /// The first answer again, or that the id meant something else.
    pub fn repeated(&self, recorded: &Recorded) -> Result<Done, Error> {
        match &self.request.intent {
            Intent::Command(command) => command::repeated(&self.commanding(command), recorded),
            Intent::Messages(deed) => deeds::repeated(self.request, deed, recorded),
        }
    }

    /// How its transaction begins.
    pub fn opening(&self) -> Opening {
        let hold = match &self.request.intent {
            Intent::Command(command) => command::held(command),
            Intent::Messages(_) => None,
        };
        Opening { hold, ..Opening::of(self.request.id) }
    }

    /// Names whoever was faster, in a transaction of its own.
    pub async fn blamed(
        &self,
        tx: &mut Tx<'_>,
        ahead: &Ahead,
        moved: Moved,
    ) -> Result<Moved, db::Error> {
        match (&self.request.intent, ahead) {
            (Intent::Command(command), Ahead::Command(ahead, _)) => {
                command::blamed(tx, &self.commanding(command), ahead, moved).await
            }
            _ => Ok(moved),
        }
    }

    /// The plan that a dry run comes to.
    pub fn plan(&self, work: Work, ahead: &Ahead, statements: Vec<String>) -> Plan {
        let mut plan = Plan {
            request: self.request.clone(),
            title: String::new(),
            made_at: self.now,
            checks: vec![],
            effects: vec![],
            undo: String::new(),
            reverse: None,
            cli_equivalent: String::new(),
            word: String::new(),
            relied: Relied::default(),
            statements,
        };
        match work {
            Work::Command(work) => {
                plan.checks.clone_from(&work.blocking);
                if let Ahead::Command(_, Some(around)) = ahead {
                    let more = checks::informative(
                        self.writer,
                        &work.facts,
                        &work.change,
                        around,
                        self.now,
                    );
                    plan.checks.extend(more);
                }
                let command::Described { title, undo, cli_equivalent, word } =
                    work.described.clone();
                (plan.title, plan.undo, plan.cli_equivalent, plan.word) =
                    (title, undo, cli_equivalent, word);
                plan.relied = work.facts.relied();
                plan.effects = work.effects;
                plan.reverse = work.reverse;
            }
            Work::OutboxAction(work) => {
                (plan.title, plan.undo, plan.cli_equivalent, plan.word) =
                    (work.title, work.undo, work.cli_equivalent, work.word.to_owned());
                plan.relied = work.relied;
                plan.checks = work.checks;
                plan.effects = work.effects;
            }
        }
        plan
    }
}

impl Work {
    /// What is said of work that was committed.
    pub fn done(self, request: &Request) -> Done {
        match self {
            Self::Command(work) => command::done(request, *work),
            Self::OutboxAction(work) => deeds::done(request, *work),
        }
    }
}
