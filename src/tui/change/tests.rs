//! From the key to the result, without a database: what is asked for, what is shown.
