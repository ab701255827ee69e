//! The program's clock. Verbs and the console get the present time here, and hand it to everything below them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::ops::Clock;

/// The present time.
#[expect(clippy::disallowed_methods, reason = "the one place that everything else gets it from")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The same for what looks at it again and again.
pub(super) fn handed() -> Clock {
    Arc::new(now)
}
