//! A certificate of ACM, imported from a PEM file: what its load balancers serve TLS with.
//!
//! Another content of the file is imported into the same certificate, so that listeners go on without a change. ACM
//! gives no private key back: what there is cannot be compared with the file, only what the file was before.

use async_trait::async_trait;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateSummary, CertificateType, Filters, KeyAlgorithm, Tag,
};
use aws_smithy_types::Blob;
use futures::future::try_join_all;
use standfast_contract::{Attribute, Call, Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, UNSEEN_TAGS, Works, db_instance::plain, map, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct Certificate;

/// `pem`: certificate, chain and private key, as one text.
static KIND: Kind = Kind::new(
    "certificate",
    &[ID, UNSEEN_TAGS, Attribute::new("pem").required().sensitive().unobserved(), super::out("domain")],
);

#[async_trait]
impl Works for Certificate {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let arns = match select {
            Select::Ids(ids) | Select::Bare(ids, _) => ids.iter().map(|id| (*id).to_owned()).collect(),
            Select::Stack(_) | Select::Token(..) => listed(site, &CertificateType::Imported).await?,
        };
        let asked = arns.into_iter().map(|arn| described(site, select, arn));
        let found = try_join_all(asked).await?.into_iter().flatten();
        Ok(found.map(|(found, tags)| seen_as(&found, tags)).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        import(job, None).await
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.call.changed.iter().any(|key| key == "pem") {
            import(job, Some(&seen.id)).await?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        remove(site, id).await
    }

    fn foresee(&self, call: &Call) -> Result<(), Failure> {
        plain(&call.inputs, "pem")?.map_or(Ok(()), |pem| Bundle::of(pem).map(drop))
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        tag(site, id, set, unset).await
    }
}

// What a certificate that is requested has in common with one that is imported.

pub(super) async fn remove(site: &Site, arn: &str) -> Result<(), Failure> {
    let call = site.change.acm.delete_certificate().certificate_arn(arn);
    call.send().await.map_err(failed("acm:DeleteCertificate"))?;
    Ok(())
}

pub(super) async fn tag(site: &Site, arn: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
    let acm = &site.change.acm;
    if !set.is_empty() {
        let call = acm.add_tags_to_certificate().certificate_arn(arn).set_tags(Some(written(set)?));
        call.send().await.map_err(failed("acm:AddTagsToCertificate"))?;
    }
    if !unset.is_empty() {
        let keys = unset.iter().map(|key| pair(key, None)).collect::<Result<_, _>>()?;
        let call = acm.remove_tags_from_certificate().certificate_arn(arn).set_tags(Some(keys));
        call.send().await.map_err(failed("acm:RemoveTagsFromCertificate"))?;
    }
    Ok(())
}

fn pair(key: &str, value: Option<&str>) -> Result<Tag, Failure> {
    let tag = Tag::builder().key(key).set_value(value.map(str::to_owned)).build();
    tag.map_err(|error| Failure::refused("acm:AddTagsToCertificate", error.to_string()))
}

pub(super) fn written(tags: &Tags) -> Result<Vec<Tag>, Failure> {
    tags.iter().map(|(key, value)| pair(key, Some(value))).collect()
}

/// Tags are taken with a new one only.
async fn import(job: &Job<'_>, into: Option<&str>) -> Result<String, Failure> {
    let action = "acm:ImportCertificate";
    let pem = plain(&job.call.inputs, "pem")?.ok_or_else(|| Failure::refused(action, "`pem` is missing"))?;
    let bundle = Bundle::of(pem)?;
    let tags = if into.is_none() { Some(written(&job.tags())?) } else { None };
    let call = job
        .site
        .change
        .acm
        .import_certificate()
        .set_certificate_arn(into.map(str::to_owned))
        .certificate(Blob::new(bundle.certificate))
        .set_certificate_chain((!bundle.chain.is_empty()).then(|| Blob::new(bundle.chain)))
        .private_key(Blob::new(bundle.key))
        .set_tags(tags);
    let made = call.send().await.map_err(failed(action))?;
    made.certificate_arn.ok_or_else(|| Failure::lost(action))
}

/// Every one of a type in the region.
pub(super) async fn listed(site: &Site, of: &CertificateType) -> Result<Vec<String>, Failure> {
    let all = summaries(site, of).await?.into_iter();
    Ok(all.filter_map(|one| one.certificate_arn).collect())
}

/// Whether a certificate that ACM issues for a domain is in use in the region. One of ours is not any more when its
/// records go: its listener went before.
pub(super) async fn proves(site: &Site, domain: &str) -> Result<bool, Failure> {
    let below = format!("*.{domain}");
    let is_it = |name: &str| name == domain || name == below;
    let proven = |one: &CertificateSummary| {
        let mut names = one.subject_alternative_name_summaries().iter().map(String::as_str);
        one.in_use() == Some(true) && (one.domain_name().is_some_and(is_it) || names.any(is_it))
    };
    Ok(summaries(site, &CertificateType::AmazonIssued).await?.iter().any(proven))
}

/// ACM knows no names, and lists without being told the kinds of key only those of RSA with 2,048 bits.
/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html>
async fn summaries(site: &Site, of: &CertificateType) -> Result<Vec<CertificateSummary>, Failure> {
    let keys = KeyAlgorithm::values().iter().map(|key| KeyAlgorithm::from(*key)).collect();
    let call =
        site.look.acm.list_certificates().includes(Filters::builder().set_key_types(Some(keys)).build());
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let all: Vec<CertificateSummary> = all.map_err(failed("acm:ListCertificates"))?;
    Ok(all.into_iter().filter(|one| one.r#type() == Some(of)).collect())
}

/// One that was asked for, with its tags as far as they were.
pub(super) async fn described(
    site: &Site,
    select: Select<'_>,
    arn: String,
) -> Result<Option<(CertificateDetail, Tags)>, Failure> {
    let mut tags = Tags::new();
    if select.asks("tags") {
        let call = site.look.acm.list_tags_for_certificate().certificate_arn(&arn);
        match call.send().await.map_err(failed("acm:ListTagsForCertificate")) {
            Ok(answer) => {
                let each = answer.tags().iter();
                tags.extend(
                    each.map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned())),
                );
            }
            Err(failure) if failure.trouble == Trouble::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        }
    }
    if !select.takes(&arn, &tags) {
        return Ok(None);
    }
    let call = site.look.acm.describe_certificate().certificate_arn(&arn);
    match call.send().await.map_err(failed("acm:DescribeCertificate")) {
        Ok(answer) => Ok(answer.certificate.map(|found| (found, tags))),
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn seen_as(found: &CertificateDetail, tags: Tags) -> Seen {
    Seen {
        id: found.certificate_arn().unwrap_or_default().to_owned(),
        phase: Phase::Ready,
        tags,
        attributes: Map::new(),
        outputs: map([("id", text(found.certificate_arn())), ("domain", text(found.domain_name()))]),
        parts: Parts::new(),
    }
}

/// A PEM file in ACM's three parts.
#[derive(Debug, PartialEq)]
struct Bundle {
    certificate: String,
    chain: String,
    key: String,
}

impl Bundle {
    /// The certificate comes first, then its chain; the key may stand anywhere.
    fn of(pem: &str) -> Result<Self, Failure> {
        let refused =
            |what: &str| Err(Failure::refused("acm:ImportCertificate", format!("the PEM file {what}")));
        let mut bundle = Bundle { certificate: String::new(), chain: String::new(), key: String::new() };
        let mut rest = pem;
        while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
            let Some((label, _)) = begun.split_once("-----") else { break };
            let end = format!("-----END {label}-----");
            let Some((body, after)) = begun.split_once(&end) else {
                return refused(&format!("has a `{label}` without an end"));
            };
            let block = format!("-----BEGIN {body}{end}\n");
            if label.contains("ENCRYPTED") || body.contains("Proc-Type: 4,ENCRYPTED") {
                return refused(
                    "has a private key with a passphrase, which ACM does not take: `openssl pkey` removes it",
                );
            }
            match label {
                "CERTIFICATE" if bundle.certificate.is_empty() => bundle.certificate = block,
                "CERTIFICATE" => bundle.chain += &block,
                _ if label.ends_with("PRIVATE KEY") => bundle.key = block,
                // Parameters, which ACM has no use for.
                _ => {}
            }
            rest = after;
        }
        if bundle.certificate.is_empty() {
            return refused("has no certificate");
        }
        if bundle.key.is_empty() {
            return refused("has no private key");
        }
        Ok(bundle)
    }
}
