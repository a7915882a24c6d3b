//! What the machines of a group may do: a role, and the instance profile of the same name by which they get it. The two
//! are one thing to everybody but IAM. The marks are on the role; a role without its profile is half made, and drift.
//!
//! IAM is the account's and not a region's, and it lists roles without their tags and policies; one call that tells all of
//! them in pages takes the place of four calls for each role. Not everybody may make it: then it is those.

use async_trait::async_trait;
use aws_sdk_iam::types::{EntityType, PolicyDetail, RoleDetail, Tag};
use futures::{future::try_join_all, try_join};
use percent_encoding::percent_decode_str;
use standfast_contract::{Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, map, may, must, out, text, texts};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed, unless_gone},
    marks::Tags,
    names,
};

#[cfg(test)]
mod tests;

pub(super) struct InstanceProfile;

/// `profile` is the name of the instance profile that holds the role; `managed_policies` are ARNs; `policy` is the role's
/// own, as JSON.
static KIND: Kind = Kind::new(
    "instance_profile",
    &[
        ID,
        TAGS,
        fixed("name").kept().unique(),
        must("profile").kept().unique(),
        may("managed_policies"),
        may("policy"),
        out("arn"),
    ],
);

/// Only machines may take the role.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// The name of the role's own policy.
const OWN: &str = "own";
const DELETE_OWN: &str = "iam:DeleteRolePolicy";
/// Of one page.
const ROLES_MAX: i32 = 1000;

#[async_trait]
impl Works for InstanceProfile {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let roles = match all(site).await {
            Err(failure) if failure.trouble == Trouble::Denied => one_by_one(site, select).await?,
            roles => roles?,
        };
        let seen = roles.iter().map(seen_as);
        Ok(seen.filter(|seen| select.takes(&seen.id, &seen.tags)).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .iam
            .create_role()
            .role_name(job.text("name")?)
            .assume_role_policy_document(TRUST)
            .description("Of the machines of a group; made by standfast.")
            .set_tags(Some(written(&job.tags())));
        let made = call.send().await.map_err(failed("iam:CreateRole"))?;
        made.role.map(|role| role.role_name).ok_or_else(|| Failure::lost("iam:CreateRole"))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let iam = &job.site.change.iam;
        let (wanted, have) = (job.texts("managed_policies"), texts(&seen.attributes, "managed_policies"));
        for &arn in wanted.difference(&have) {
            let call = iam.attach_role_policy().role_name(&seen.id).policy_arn(arn);
            call.send().await.map_err(failed("iam:AttachRolePolicy"))?;
        }
        for &arn in have.difference(&wanted) {
            let call = iam.detach_role_policy().role_name(&seen.id).policy_arn(arn);
            call.send().await.map_err(failed("iam:DetachRolePolicy"))?;
        }
        if job.differs("policy", seen) {
            match job.maybe("policy") {
                Some(policy) => {
                    let call =
                        iam.put_role_policy().role_name(&seen.id).policy_name(OWN).policy_document(policy);
                    call.send().await.map_err(failed("iam:PutRolePolicy"))?;
                }
                None => {
                    let call = iam.delete_role_policy().role_name(&seen.id).policy_name(OWN);
                    call.send().await.map_err(failed(DELETE_OWN))?;
                }
            }
        }
        if job.differs("profile", seen) {
            let profile = job.text("profile")?;
            let call = iam.create_instance_profile().instance_profile_name(profile);
            let made = call.set_tags(Some(written(&job.tags()))).send().await;
            // An earlier try made it and came no further.
            unless(made.map(drop).map_err(failed("iam:CreateInstanceProfile")), "(EntityAlreadyExists)")?;
            let call = iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(&seen.id);
            call.send().await.map_err(failed("iam:AddRoleToInstanceProfile"))?;
        }
        Ok(())
    }

    /// In the order that IAM asks for; each may have been done by an earlier try.
    async fn remove(&self, site: &Site, id: &str, recorded: &Map) -> Result<(), Failure> {
        let iam = &site.change.iam;
        let call = iam.get_instance_profile().instance_profile_name(id);
        let profile = unless_gone(call.send().await.map_err(failed("iam:GetInstanceProfile")))?;
        let profile = profile.and_then(|answer| answer.instance_profile);
        if profile.is_some_and(|profile| profile.roles().iter().any(|role| role.role_name() == id)) {
            let call = iam.remove_role_from_instance_profile().instance_profile_name(id).role_name(id);
            gone(call.send().await.map(drop).map_err(failed("iam:RemoveRoleFromInstanceProfile")))?;
        }
        let call = iam.delete_instance_profile().instance_profile_name(id);
        gone(call.send().await.map(drop).map_err(failed("iam:DeleteInstanceProfile")))?;
        for arn in texts(recorded, "managed_policies") {
            let call = iam.detach_role_policy().role_name(id).policy_arn(arn);
            gone(call.send().await.map(drop).map_err(failed("iam:DetachRolePolicy")))?;
        }
        if recorded.contains_key("policy") {
            let call = iam.delete_role_policy().role_name(id).policy_name(OWN);
            gone(call.send().await.map(drop).map_err(failed(DELETE_OWN)))?;
        }
        let call = iam.delete_role().role_name(id);
        call.send().await.map_err(failed("iam:DeleteRole"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        let iam = &site.change.iam;
        if !set.is_empty() {
            let call = iam.tag_role().role_name(id).set_tags(Some(written(set)));
            call.send().await.map_err(failed("iam:TagRole"))?;
        }
        if !unset.is_empty() {
            let call = iam.untag_role().role_name(id).set_tag_keys(Some(unset.to_vec()));
            call.send().await.map_err(failed("iam:UntagRole"))?;
        }
        Ok(())
    }
}

/// Of the account, in pages.
async fn all(site: &Site) -> Result<Vec<RoleDetail>, Failure> {
    let call =
        site.look.iam.get_account_authorization_details().filter(EntityType::Role).max_items(ROLES_MAX);
    let mut pages = call.into_paginator().send();
    let mut roles = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(failed("iam:GetAccountAuthorizationDetails"))?;
        roles.extend(page.role_detail_list.unwrap_or_default());
    }
    Ok(roles)
}

/// Those that are asked for, or that are named as the stack's are.
async fn one_by_one(site: &Site, select: Select<'_>) -> Result<Vec<RoleDetail>, Failure> {
    let names: Vec<String> = match select {
        Select::Ids(ids) | Select::Bare(ids, _) => ids.iter().map(|&id| id.to_owned()).collect(),
        Select::Stack(stack) | Select::Token(stack, _) => {
            let begins = names::led(stack);
            let roles: Result<Vec<_>, _> =
                site.look.iam.list_roles().into_paginator().items().send().collect().await;
            let names = roles.map_err(failed("iam:ListRoles"))?.into_iter().map(|role| role.role_name);
            names.filter(|name| name.starts_with(&begins)).collect()
        }
    };
    let roles = names.iter().map(|name| async { unless_gone(role(site, name).await) });
    Ok(try_join_all(roles).await?.into_iter().flatten().collect())
}

/// All that is told of one.
async fn role(site: &Site, name: &str) -> Result<RoleDetail, Failure> {
    let iam = &site.look.iam;
    let role = async {
        let call = iam.get_role().role_name(name);
        call.send().await.map_err(failed("iam:GetRole"))
    };
    let own = async {
        let call = iam.get_role_policy().role_name(name).policy_name(OWN);
        unless_gone(call.send().await.map_err(failed("iam:GetRolePolicy")))
    };
    let attached = async {
        let call = iam.list_attached_role_policies().role_name(name);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        all.map_err(failed("iam:ListAttachedRolePolicies"))
    };
    let profiles = async {
        let call = iam.list_instance_profiles_for_role().role_name(name);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        all.map_err(failed("iam:ListInstanceProfilesForRole"))
    };
    let (role, own, attached, profiles) = try_join!(role, own, attached, profiles)?;
    let own = own.map(|own| {
        PolicyDetail::builder().policy_name(own.policy_name).policy_document(own.policy_document).build()
    });
    let role = role.role.ok_or_else(|| Failure::lost("iam:GetRole"))?;
    Ok(RoleDetail::builder()
        .role_name(role.role_name)
        .arn(role.arn)
        .set_tags(role.tags)
        .set_role_policy_list(own.map(|own| vec![own]))
        .set_attached_managed_policies(Some(attached))
        .set_instance_profile_list(Some(profiles))
        .build())
}

fn unless(done: Result<(), Failure>, code: &str) -> Result<(), Failure> {
    match done {
        Err(failure) if failure.message.contains(code) => Ok(()),
        other => other,
    }
}

fn gone(done: Result<(), Failure>) -> Result<(), Failure> {
    unless_gone(done).map(drop)
}

/// IAM's builder asks for both parts of a tag.
fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

fn seen_as(role: &RoleDetail) -> Seen {
    let id = role.role_name().unwrap_or_default().to_owned();
    let profiles = role.instance_profile_list();
    let profile = profiles.iter().map(|profile| profile.instance_profile_name()).find(|name| *name == id);
    let own = role.role_policy_list().iter().find(|policy| policy.policy_name() == Some(OWN));
    // IAM tells documents in the form of URLs.
    let own = own.and_then(|policy| policy.policy_document()).map(|document| percent_decode_str(document));
    let own = own.map(|document| document.decode_utf8_lossy().into_owned());
    let policies = role.attached_managed_policies().iter().filter_map(|policy| policy.policy_arn());
    let mut policies: Vec<Value> = policies.map(Value::from).collect();
    policies.sort_by_key(ToString::to_string);
    Seen {
        phase: Phase::Ready,
        tags: role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        attributes: map([
            ("name", id.as_str().into()),
            ("profile", text(profile)),
            // None at all is what is wanted.
            ("managed_policies", Value::List(policies)),
            ("policy", text(own.as_deref())),
        ]),
        outputs: map([("id", id.as_str().into()), ("arn", role.arn().map_or(Value::Null, Value::from))]),
        parts: Parts::new(),
        id,
    }
}
