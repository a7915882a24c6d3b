//! A certificate that ACM issues, and renews by itself, once it has seen a record of each name in DNS: the records are
//! `validation_record`s, and whoever serves with it waits for [`issued`].
//!
//! It is there as soon as its records are known. One that failed is nobody's: it is planned anew.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateType, DomainValidation, FailureReason, ValidationMethod,
};
use futures::future::try_join_all;
use standfast_contract::{Attribute, Context, Kind, Map};
use tokio::time::{Instant, sleep};

use super::{
    ID, Job, Parts, Phase, Seen, Select, UNSEEN_TAGS, Works, certificate, fixed, hosted_zone, list, map, text,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct RequestedCertificate;

/// `also`: other names that it is good for. For each name without `*.` there are outputs `record_name NAME` and
/// `record_value NAME`.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "requested_certificate",
        &[ID, UNSEEN_TAGS, fixed("domain"), Attribute::new("also").replaces()],
    )
};

const DESCRIBE: &str = "acm:DescribeCertificate";
/// ACM mostly takes some minutes. <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>
const ISSUE_MAX: Duration = Duration::from_secs(30 * 60);

/// Where the domain leads to its zone already, ACM is often done by then.
const DELEGATED_MAX: Duration = Duration::from_secs(20);

#[async_trait]
impl Works for RequestedCertificate {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let arns = match select {
            Select::Ids(ids) | Select::Bare(ids, _) => ids.iter().map(|id| (*id).to_owned()).collect(),
            Select::Stack(_) | Select::Token(..) => {
                certificate::listed(site, &CertificateType::AmazonIssued).await?
            }
        };
        let asked = arns.into_iter().map(|arn| certificate::described(site, select, arn));
        let found = try_join_all(asked).await?.into_iter().flatten();
        Ok(found.map(|(found, tags)| seen_as(&found, tags)).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let also: Vec<String> = job.texts("also").into_iter().map(str::to_owned).collect();
        let call = job
            .site
            .change
            .acm
            .request_certificate()
            .domain_name(job.text("domain")?)
            .set_subject_alternative_names(Some(also).filter(|also| !also.is_empty()))
            .validation_method(ValidationMethod::Dns)
            .idempotency_token(same_try(&job.call.token))
            .set_tags(Some(certificate::written(&job.tags())?));
        let action = "acm:RequestCertificate";
        let made = call.send().await.map_err(failed(action))?;
        made.certificate_arn.ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        certificate::remove(site, id).await
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        certificate::tag(site, id, set, unset).await
    }
}

/// For an hour ACM gives the same certificate for the same token, of which it takes so much.
fn same_try(token: &str) -> String {
    token.chars().filter(char::is_ascii_alphanumeric).take(32).collect()
}

fn seen_as(found: &CertificateDetail, tags: Tags) -> Seen {
    let domain = found.domain_name().unwrap_or_default();
    let also = found.subject_alternative_names().iter().map(String::as_str).filter(|name| *name != domain);
    let records = records(found.domain_validation_options());
    let phase = match trouble(found) {
        Some(why) => Phase::Failed(why),
        None if records.is_none() => Phase::Pending("its validation records are not known yet".into()),
        None => Phase::Ready,
    };
    // Then it is good for no name, so that a plan makes another one.
    let is_good = !matches!(phase, Phase::Failed(_));
    let attributes = map([("domain", text(Some(domain))), ("also", list(also))]);
    let mut outputs = map([("id", text(found.certificate_arn()))]);
    for (name, (record, value)) in records.unwrap_or_default() {
        outputs.insert(format!("record_name {name}"), record.into());
        outputs.insert(format!("record_value {name}"), value.into());
    }
    Seen {
        id: found.certificate_arn().unwrap_or_default().to_owned(),
        phase,
        tags,
        attributes: if is_good { attributes } else { Map::new() },
        outputs,
        parts: Parts::new(),
    }
}

/// Name and value of the record of each name, once all are known. A name and all below it (`*.`) have one.
fn records(validations: &[DomainValidation]) -> Option<BTreeMap<&str, (&str, &str)>> {
    let each = validations.iter().map(|validation| {
        let record = validation.resource_record()?;
        let name = validation.domain_name();
        let record = (record.name().trim_end_matches('.'), record.value().trim_end_matches('.'));
        Some((name.strip_prefix("*.").unwrap_or(name), record))
    });
    each.collect::<Option<BTreeMap<_, _>>>().filter(|records| !records.is_empty())
}

/// Why it will never be good, or is no longer.
/// <https://docs.aws.amazon.com/acm/latest/userguide/troubleshooting-failed.html>
fn trouble(found: &CertificateDetail) -> Option<String> {
    let domain = found.domain_name().unwrap_or_default();
    let status = found.status()?;
    Some(match (status, found.failure_reason()) {
        (CertificateStatus::Issued | CertificateStatus::PendingValidation, _) => return None,
        (CertificateStatus::ValidationTimedOut, _) => format!(
            "ACM has not seen the validation record of {domain} for 72 hours (VALIDATION_TIMED_OUT): delegate the domain \
             to the name servers of its zone, then apply again, which requests another certificate"
        ),
        (_, Some(FailureReason::CaaError)) => format!(
            "a CAA record of {domain} forbids Amazon to issue for it (CAA_ERROR): add `0 issue \"amazon.com\"` to its CAA \
             records, then apply again"
        ),
        (_, Some(FailureReason::AdditionalVerificationRequired)) => format!(
            "AWS wants to know more before it issues for {domain} (ADDITIONAL_VERIFICATION_REQUIRED): open a case with \
             AWS Support, or use a PEM file"
        ),
        (_, Some(reason @ (FailureReason::DomainNotAllowed | FailureReason::InvalidPublicDomain))) => {
            format!(
                "ACM issues no public certificate for {domain} ({reason}): correct `domain`, or use a PEM file"
            )
        }
        (_, Some(reason)) => {
            format!("ACM has not issued the certificate of {domain} ({reason}): use a PEM file")
        }
        (status, None) => format!("the certificate of {domain} cannot be used ({status}): apply again"),
    })
}

/// Waits until ACM has issued it: nobody can serve with it before.
pub(super) async fn issued(context: &Context, site: &Site, arn: &str) -> Result<(), Failure> {
    context.wait(until_issued(context, site, arn)).await
}

async fn until_issued(context: &Context, site: &Site, arn: &str) -> Result<(), Failure> {
    let began = Instant::now();
    let mut wait = Duration::from_millis(500);
    let mut delegation = None;
    loop {
        let call = site.look.acm.describe_certificate().certificate_arn(arn);
        let found = call.send().await.map_err(failed(DESCRIBE))?.certificate;
        let found =
            found.ok_or_else(|| Failure::new(Trouble::NotFound, DESCRIBE, format!("{arn} is gone")))?;
        if let Some(why) = trouble(&found) {
            return Err(Failure::refused(DESCRIBE, why));
        }
        if found.status() == Some(&CertificateStatus::Issued) {
            return Ok(());
        }
        let domain = found.domain_name().unwrap_or_default();
        if began.elapsed() > ISSUE_MAX {
            return Err(Failure::refused(
                DESCRIBE,
                format!(
                    "ACM has not issued the certificate of {domain} within 30 minutes: delegate the domain to the name \
                     servers of its zone (`dig +short NS` shows whether it is), then apply again, which goes on with it"
                ),
            ));
        }
        if delegation.is_none() && began.elapsed() > DELEGATED_MAX {
            delegation = Some(hosted_zone::delegation(site, domain).await.unwrap_or_default());
        }
        let delegation = delegation.as_deref().unwrap_or_default();
        (context.progress)(&format!(
            "ACM looks for the validation record of {domain}: PENDING_VALIDATION{delegation}"
        ));
        sleep(wait).await;
        wait = (wait * 2).min(site.poll * 5);
    }
}
