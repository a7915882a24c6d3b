//! An instance refresh: AWS replaces the machines of a group by such of a new version, a few at a time, and this watches it
//! to its end. What AWS rolls back is an error here.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html>

use std::time::Duration;

use aws_sdk_autoscaling::types::{
    DesiredConfiguration, InstanceRefresh, InstanceRefreshStatus as Status, LaunchTemplateSpecification,
    RefreshPreferences,
};
use standfast_contract::Value;
use tokio::time::sleep;

use super::{super::Job, heard, mixed, template};
use crate::failure::{Failure, Trouble, failed};

const POLL: Duration = Duration::from_secs(10);
/// Refreshes of others that are waited for before ours.
const OTHERS_MAX: usize = 3;
const ACTION: &str = "autoscaling:StartInstanceRefresh";

/// The group gets the version from the refresh: AWS can roll back only what it was told this way.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html>
pub(super) async fn refresh(job: &Job<'_>, group: &str) -> Result<(), Failure> {
    for _ in 0..=OTHERS_MAX {
        match start(job, group).await {
            Ok(id) => return outcome(&watch(job, group, id).await?, group),
            // Of an earlier try, or of somebody else: only its end tells.
            Err(failure) if failure.message.contains("InstanceRefreshInProgress") => {
                let ended = watch(job, group, None).await?;
                if is_for(&ended, &template(job)?) {
                    return outcome(&ended, group);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::new(Trouble::Busy, ACTION, "others start one instance refresh of the group after another"))
}

async fn start(job: &Job<'_>, group: &str) -> Result<Option<String>, Failure> {
    let template = template(job)?;
    let wanted = match mixed::policy(job, &template)? {
        Some(policy) => DesiredConfiguration::builder().mixed_instances_policy(policy),
        None => DesiredConfiguration::builder().launch_template(template),
    };
    let call = job
        .site
        .change
        .asg
        .start_instance_refresh()
        .auto_scaling_group_name(group)
        .desired_configuration(wanted.build())
        .preferences(preferences(job)?);
    Ok(call.send().await.map_err(failed(ACTION)).map_err(heard)?.instance_refresh_id)
}

/// The canary is a checkpoint: AWS replaces so many, waits until they have been in service for a while, and goes on.
fn preferences(job: &Job<'_>) -> Result<RefreshPreferences, Failure> {
    let warmup = job.int("warmup_s")?;
    let canary = job.find("canary_percent").and_then(Value::as_int).and_then(|it| i32::try_from(it).ok());
    Ok(RefreshPreferences::builder()
        .min_healthy_percentage(job.int("min_healthy_percent")?)
        .instance_warmup(warmup)
        .set_checkpoint_percentages(canary.map(|canary| vec![canary, 100]))
        .set_checkpoint_delay(canary.map(|_| warmup))
        .skip_matching(true)
        .auto_rollback(job.maybe("on_failure") == Some("rollback"))
        .build())
}

/// Until it ends, one way or the other. Without an id the newest.
async fn watch(job: &Job<'_>, group: &str, id: Option<String>) -> Result<InstanceRefresh, Failure> {
    job.context.wait(until_ended(job, group, id)).await
}

async fn until_ended(job: &Job<'_>, group: &str, id: Option<String>) -> Result<InstanceRefresh, Failure> {
    let action = "autoscaling:DescribeInstanceRefreshes";
    loop {
        let call = job
            .site
            .look
            .asg
            .describe_instance_refreshes()
            .auto_scaling_group_name(group)
            .set_instance_refresh_ids(id.clone().map(|id| vec![id]));
        let answer = call.send().await.map_err(failed(action))?;
        let newest = answer.instance_refreshes.unwrap_or_default().into_iter().next();
        let newest = newest.ok_or_else(|| Failure::lost(action))?;
        match newest.status() {
            Some(
                Status::Successful
                | Status::Failed
                | Status::Cancelled
                | Status::RollbackSuccessful
                | Status::RollbackFailed,
            ) => return Ok(newest),
            status => (job.context.progress)(&said(status, &newest)),
        }
        sleep(POLL.min(job.site.poll * 5)).await;
    }
}

/// "instance refresh: 33%, 2 machines to go (Waiting at checkpoint: 33%)".
fn said(status: Option<&Status>, refresh: &InstanceRefresh) -> String {
    let word = match status {
        Some(Status::RollbackInProgress) => "it is rolled back: ",
        Some(Status::Cancelling) => "somebody cancels it: ",
        Some(Status::Pending) => "it is about to begin: ",
        _ => "",
    };
    let done = refresh.percentage_complete().unwrap_or_default();
    let left = match refresh.instances_to_update() {
        Some(1) => ", 1 machine to go".to_owned(),
        Some(left) => format!(", {left} machines to go"),
        None => String::new(),
    };
    let reason = refresh.status_reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("instance refresh: {word}{done}%{left}{reason}")
}

/// Whether it brings the machines to this version.
fn is_for(refresh: &InstanceRefresh, wanted: &LaunchTemplateSpecification) -> bool {
    let Some(desired) = refresh.desired_configuration() else { return false };
    let mixed = || desired.mixed_instances_policy()?.launch_template()?.launch_template_specification();
    desired.launch_template().or_else(mixed).is_some_and(|template| {
        template.launch_template_id() == wanted.launch_template_id() && template.version() == wanted.version()
    })
}

fn outcome(ended: &InstanceRefresh, group: &str) -> Result<(), Failure> {
    let reason = ended.status_reason().unwrap_or("AWS gives no reason");
    let told = match ended.status() {
        Some(Status::Successful) => return Ok(()),
        Some(Status::RollbackSuccessful) => {
            format!(
                "the new machines did not come into service, and AWS has put the old version back: {reason}"
            )
        }
        Some(Status::RollbackFailed) => format!(
            "the new machines did not come into service, and AWS could not put the old version back: {reason}; \
             `aws autoscaling describe-scaling-activities --auto-scaling-group-name {group}` says more"
        ),
        Some(Status::Cancelled) => {
            format!("somebody cancelled the instance refresh ({reason}); run it again to go on with it")
        }
        _ => format!(
            "the instance refresh failed, what it has replaced stays: {reason}; \
             `aws autoscaling describe-scaling-activities --auto-scaling-group-name {group}` says more"
        ),
    };
    Err(Failure::new(Trouble::Broken, ACTION, told))
}

#[cfg(test)]
mod tests;
