//! What Lambda says about the functions behind a load balancer.

use std::collections::BTreeSet;

use super::{TopologyReader, text};
use crate::edge::aws::AwsError;
use nearmiss_core::diagnose::evidence::{Function, TargetGroup, TargetKind};

const FUNCTION: &str = "lambda:GetFunctionConfiguration";

impl TopologyReader {
    pub(super) async fn read_functions(
        &self,
        groups: &[TargetGroup],
    ) -> Result<Vec<Function>, AwsError> {
        let of_lambda = groups.iter().filter(|group| group.kind == TargetKind::Lambda);
        let targets = of_lambda.filter_map(|group| group.targets.as_ref().ok()).flatten();
        let arns: BTreeSet<&String> = targets.map(|target| &target.id).collect();
        let mut functions = Vec::new();
        for arn in arns {
            let answer = self.lambda.get_function_configuration().function_name(arn).send().await;
            let answer = answer.map_err(|error| self.fault(FUNCTION, &error))?;
            functions.push(Function {
                name: text(answer.function_name()),
                arn: arn.clone(),
                timeout: answer.timeout().and_then(|s| u32::try_from(s).ok()).unwrap_or(0),
            });
        }
        Ok(functions)
    }
}
