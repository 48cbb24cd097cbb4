//! Claims about the simulator as a whole.

mod diagnosis;
mod gateways;
mod hostile;
mod sns;
mod time;
mod whole;
