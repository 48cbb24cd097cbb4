//! The services of AWS that are simulated.

pub(crate) mod apigateway;
pub(crate) mod cloudfront;
pub(crate) mod cloudwatch;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod elb;
pub(crate) mod lambda;
pub(crate) mod sns;
pub(crate) mod sts;
pub(crate) mod vpc;
