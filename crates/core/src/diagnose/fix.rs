//! How commands and HCL are written: quoted, aligned, with real identifiers.
//!
//! Names come from AWS, but what is pasted into a shell is quoted all the same.

use crate::diagnose::evidence::{Evidence, LoadBalancer, Service, TargetGroup};
use crate::diagnose::finding::Fix;

/// Text that goes into a shell or into HCL.
pub trait Quoted {
    /// As one word of a POSIX shell.
    fn shell(&self) -> String;
    /// As a string in HCL.
    fn hcl(&self) -> String;
}

impl Quoted for str {
    fn shell(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@=,-".contains(c);
        if !self.is_empty() && self.chars().all(is_plain) {
            self.to_owned()
        } else {
            format!("'{}'", self.replace('\'', "'\\''"))
        }
    }

    fn hcl(&self) -> String {
        let escaped = self.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        format!("\"{}\"", escaped.replace("${", "$${").replace("%{", "%%{"))
    }
}

/// A name that Terraform takes for a resource.
#[must_use]
pub fn identifier(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = name.chars().map(fit).collect();
    let is_fit = name.starts_with(|c: char| c.is_ascii_lowercase());
    if is_fit { name } else { format!("n{name}") }
}

/// A resource with arguments, as `terraform fmt` writes it. Values are HCL already.
#[must_use]
pub fn resource(kind: &str, name: &str, arguments: &[(&str, String)]) -> String {
    format!("resource \"{kind}\" \"{}\" {{\n{}}}\n", identifier(name), aligned(arguments, "  "))
}

/// A resource whose arguments are in one nested block.
#[must_use]
pub fn nested(
    kind: &str,
    name: &str,
    own: &[(&str, String)],
    block: &str,
    arguments: &[(&str, String)],
) -> String {
    let own = aligned(own, "  ");
    let gap = if own.is_empty() { "" } else { "\n" };
    let inner = aligned(arguments, "    ");
    let name = identifier(name);
    format!("resource \"{kind}\" \"{name}\" {{\n{own}{gap}  {block} {{\n{inner}  }}\n}}\n")
}

fn aligned(arguments: &[(&str, String)], indent: &str) -> String {
    let width = arguments.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let line = |(key, value): &(&str, String)| format!("{indent}{key:width$} = {value}\n");
    arguments.iter().map(line).collect()
}

/// Sets attributes of a target group: AWS's key, its value, Terraform's argument and value.
#[must_use]
pub fn target_group(group: &TargetGroup, settings: &[(&str, String, &str, String)]) -> Fix {
    let pair = |(key, value, ..): &(&str, String, &str, String)| format!("Key={key},Value={value}");
    let pairs: Vec<String> = settings.iter().map(pair).collect();
    let arguments: Vec<(&str, String)> =
        settings.iter().map(|(_, _, argument, value)| (*argument, value.clone())).collect();
    Fix {
        cli: format!(
            "aws elbv2 modify-target-group-attributes --target-group-arn {} --attributes {}",
            group.arn.shell(),
            pairs.join(" ")
        ),
        terraform: resource("aws_lb_target_group", &group.name, &arguments),
    }
}

/// Sets the idle timeout of the load balancer, where that is known; none that would
/// contradict a timeout that the config demands.
#[must_use]
pub fn idle_timeout(evidence: &Evidence, seconds: f64) -> Option<Fix> {
    let LoadBalancer { arn, name, .. } = evidence.load_balancer.as_ref().ok()?;
    let differs = |configured: f64| (seconds - configured).abs() > 0.05 * configured;
    if evidence.configured_timeout.is_some_and(differs) {
        return None;
    }
    Some(Fix {
        cli: format!(
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {} --attributes Key=idle_timeout.timeout_seconds,Value={seconds:.0}",
            arn.shell()
        ),
        terraform: resource("aws_lb", name, &[("idle_timeout", format!("{seconds:.0}"))]),
    })
}

/// Takes a target out of its group.
#[must_use]
pub fn deregister(group: &TargetGroup, id: &str, port: u16) -> Fix {
    let arguments = [
        ("target_group_arn", group.arn.hcl()),
        ("target_id", id.hcl()),
        ("port", port.to_string()),
    ];
    let attachment = resource("aws_lb_target_group_attachment", id, &arguments);
    let commented = attachment.lines().map(|line| format!("# {line}\n"));
    Fix {
        cli: format!(
            "aws elbv2 deregister-targets --target-group-arn {} --targets {}",
            group.arn.shell(),
            format!("Id={id},Port={port}").shell()
        ),
        terraform: format!("# Remove:\n{}", commented.collect::<String>()),
    }
}

/// Runs this many tasks of an ECS service.
#[must_use]
pub fn desired_count(service: &Service, count: f64) -> Fix {
    Fix {
        cli: format!(
            "aws ecs update-service --cluster {} --service {} --desired-count {count:.0}",
            service.cluster.shell(),
            service.name.shell()
        ),
        terraform: resource(
            "aws_ecs_service",
            &service.name,
            &[("desired_count", format!("{count:.0}"))],
        ),
    }
}

/// Replaces all tasks of an ECS service.
#[must_use]
pub fn new_deployment(service: &Service) -> Fix {
    Fix {
        cli: format!(
            "aws ecs update-service --cluster {} --service {} --force-new-deployment",
            service.cluster.shell(),
            service.name.shell()
        ),
        terraform: resource(
            "aws_ecs_service",
            &service.name,
            &[("force_new_deployment", "true".to_owned())],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_its_quotes() {
        assert_eq!("a'b; rm -rf".shell(), "'a'\\''b; rm -rf'");
        assert_eq!("".shell(), "''");
        assert_eq!("a\"${b}\\".hcl(), "\"a\\\"$${b}\\\\\"");
        assert_eq!(identifier("10.0.0.1 Web"), "n10_0_0_1_web");
    }
}
