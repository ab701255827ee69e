//! The program's clock. Verbs and the console get the present time here, and hand it to everything below them.

use std::{sync::Arc, time::SystemTime};

use chrono::{DateTime, Utc};

use crate::ops::Clock;

/// The present time.
#[expect(clippy::disallowed_methods, reason = "the one place that everything else gets it from")]
pub(super) fn now() -> DateTime<Utc> {
    // Not `Utc::now()`, which panics where the clock was set before 1970.
    SystemTime::now().into()
}

/// The same for what looks at it again and again.
pub(super) fn handed() -> Clock {
    Arc::new(now)
}
