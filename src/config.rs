//! Settings: arguments, environment and the configuration file, as typed values.
