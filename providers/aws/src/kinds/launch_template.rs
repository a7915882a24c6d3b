//! A launch template: what a machine of a group is made of. A change is a new version, and the default one.

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    LaunchTemplate as Found, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateTagSpecificationRequest,
    LaunchTemplateVersion, RequestLaunchTemplateData, ResourceType, ResponseLaunchTemplateData, VolumeType,
};
use standfast_contract::{Attribute, Kind, Map, Value};

use super::{
    ID, Job, Parts, Phase, Seen, Select, TAGS, Works, base64, ec2, fixed, list, map, may, must, text,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
};

pub(super) struct LaunchTemplate;

/// Machines answer for their metadata by IMDSv2 only, and their disks are encrypted: neither can be asked otherwise.
static KIND: Kind = Kind::new(
    "launch_template",
    &[
        ID,
        TAGS,
        fixed("name").kept().unique(),
        must("image"),
        must("root_device"),
        Attribute::new("root_gib").required().unit("GiB"),
        must("instance_type"),
        must("security_groups"),
        may("instance_profile"),
        may("user_data"),
        Attribute::new("metadata_tokens").required(),
        Attribute::new("disks_encrypted").required(),
        Attribute::new("version").computed(),
    ],
);

const LATEST: &str = "$Latest";
/// Versions in one page. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html>
const VERSIONS_MAX: i32 = 200;

#[async_trait]
impl Works for LaunchTemplate {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        if let Select::Bare(ids, wanted) = select
            && !wanted.contains("tags")
        {
            // A version tells all but the tags.
            let newest = newest_versions(site, ids).await?;
            return Ok(newest.iter().map(|it| seen_as(&of_version(it), it.launch_template_data())).collect());
        }
        let templates = list_all(site, select).await?;
        let ids: Vec<&str> = templates.iter().filter_map(|one| one.launch_template_id()).collect();
        let newest = newest_versions(site, &ids).await?;
        let data = |template: &Found| {
            let of_it =
                |version: &&LaunchTemplateVersion| version.launch_template_id == template.launch_template_id;
            newest.iter().find(of_it).and_then(|version| version.launch_template_data())
        };
        Ok(templates.iter().map(|template| seen_as(template, data(template))).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .ec2
            .create_launch_template()
            .client_token(&job.call.token)
            .launch_template_name(job.text("name")?)
            .launch_template_data(data(job)?)
            .tag_specifications(ec2::with_tags(ResourceType::LaunchTemplate, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateLaunchTemplate"))?;
        made.launch_template
            .and_then(|template| template.launch_template_id)
            .ok_or_else(|| Failure::lost("ec2:CreateLaunchTemplate"))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if !changes(job, seen) {
            return Ok(());
        }
        let ec2 = &job.site.change.ec2;
        let call = ec2
            .create_launch_template_version()
            .client_token(&job.call.token)
            .launch_template_id(&seen.id)
            .launch_template_data(data(job)?);
        let action = "ec2:CreateLaunchTemplateVersion";
        let made = call.send().await.map_err(failed(action))?;
        let version = made.launch_template_version.and_then(|made| made.version_number);
        let version = version.ok_or_else(|| Failure::lost(action))?;
        let call =
            ec2.modify_launch_template().launch_template_id(&seen.id).default_version(version.to_string());
        call.send().await.map_err(failed("ec2:ModifyLaunchTemplate"))?;
        Ok(())
    }

    fn unfinished(&self, job: &Job<'_>, before: &Seen, after: &Seen) -> Option<String> {
        let is_old = after.outputs["version"] == before.outputs["version"];
        (is_old && changes(job, before)).then(|| "the version before".to_owned())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.delete_launch_template().launch_template_id(id);
        call.send().await.map_err(failed("ec2:DeleteLaunchTemplate"))?;
        Ok(())
    }
}

/// Whether another version is wanted.
fn changes(job: &Job<'_>, seen: &Seen) -> bool {
    let own = KIND.attributes.iter().filter(|one| !one.computed && one.name != "tags" && one.name != "name");
    own.into_iter().any(|one| job.differs(one.name, seen))
}

/// Whole every time: a version takes nothing over from the one before. Machines and disks carry the tags too. One that
/// was taken over may say nothing of its disk or its metadata, which then stay the image's and AWS's.
fn data(job: &Job<'_>) -> Result<RequestLaunchTemplateData, Failure> {
    let groups = job.texts("security_groups").into_iter().map(str::to_owned).collect();
    let root_gib = job.find("root_gib").map(|_| job.int("root_gib")).transpose()?;
    let disk = job.maybe("root_device").map(|device| {
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
            .encrypted(job.is("disks_encrypted"))
            .set_volume_size(root_gib)
            .volume_type(VolumeType::Gp3)
            .delete_on_termination(true)
            .build();
        vec![LaunchTemplateBlockDeviceMappingRequest::builder().device_name(device).ebs(disk).build()]
    });
    let metadata = job.maybe("metadata_tokens").map(|tokens| {
        LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_tokens(LaunchTemplateHttpTokensState::from(tokens))
            .build()
    });
    let profile = job
        .maybe("instance_profile")
        .map(|name| LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(name).build());
    let tags = job.tags();
    let tagged = [ResourceType::Instance, ResourceType::Volume].map(|kind| {
        let tags = ec2::written(&ec2::of_parts(&tags));
        LaunchTemplateTagSpecificationRequest::builder().resource_type(kind).set_tags(Some(tags)).build()
    });
    Ok(RequestLaunchTemplateData::builder()
        .image_id(job.text("image")?)
        .instance_type(job.text("instance_type")?.into())
        .set_security_group_ids(Some(groups))
        .set_iam_instance_profile(profile)
        .set_user_data(job.maybe("user_data").map(base64::encode))
        .set_metadata_options(metadata)
        .set_block_device_mappings(disk)
        .set_tag_specifications(Some(tagged.to_vec()))
        .build())
}

fn seen_as(template: &Found, data: Option<&ResponseLaunchTemplateData>) -> Seen {
    let disk = data.and_then(|data| data.block_device_mappings().first());
    let tokens = data.and_then(|data| data.metadata_options()).and_then(|options| options.http_tokens());
    let profile = data.and_then(|data| data.iam_instance_profile()).and_then(|profile| profile.name());
    let user_data = data.and_then(|data| data.user_data()).and_then(base64::decode);
    let groups = data.map(|data| data.security_group_ids()).unwrap_or_default();
    Seen {
        id: template.launch_template_id().unwrap_or_default().to_owned(),
        phase: Phase::Ready,
        tags: ec2::tags_of(template.tags()),
        attributes: map([
            ("name", text(template.launch_template_name())),
            ("image", text(data.and_then(|data| data.image_id()))),
            ("root_device", text(disk.and_then(|disk| disk.device_name()))),
            (
                "root_gib",
                disk.and_then(|disk| disk.ebs())
                    .and_then(|ebs| ebs.volume_size())
                    .map_or(Value::Null, |size| Value::Int(size.into())),
            ),
            ("instance_type", text(data.and_then(|data| data.instance_type()).map(|it| it.as_str()))),
            ("security_groups", list(groups.iter().map(String::as_str))),
            ("instance_profile", text(profile)),
            ("user_data", text(user_data.as_deref())),
            ("metadata_tokens", text(tokens.map(LaunchTemplateHttpTokensState::as_str))),
            (
                "disks_encrypted",
                disk.and_then(|disk| disk.ebs()).and_then(|ebs| ebs.encrypted()).unwrap_or(false).into(),
            ),
        ]),
        outputs: map([
            ("id", text(template.launch_template_id())),
            ("version", Value::Text(template.latest_version_number().unwrap_or_default().to_string())),
        ]),
        parts: Parts::new(),
    }
}

/// The newest version of one; of several page by page that of every one in the region: the call takes no list of ids.
async fn newest_versions(site: &Site, ids: &[&str]) -> Result<Vec<LaunchTemplateVersion>, Failure> {
    let call = site.look.ec2.describe_launch_template_versions().versions(LATEST);
    let call = match ids {
        [] => return Ok(Vec::new()),
        [id] => call.launch_template_id(*id),
        _ => call.max_results(VERSIONS_MAX),
    };
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    match all.map_err(failed("ec2:DescribeLaunchTemplateVersions")) {
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(Vec::new()),
        all => all,
    }
}

/// The template that this is the newest version of.
fn of_version(version: &LaunchTemplateVersion) -> Found {
    Found::builder()
        .set_launch_template_id(version.launch_template_id.clone())
        .set_launch_template_name(version.launch_template_name.clone())
        .set_latest_version_number(version.version_number)
        .build()
}

/// By their ids; where one of several is missing, which fails the call, all that there are.
async fn list_all(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    let describe = || site.look.ec2.describe_launch_templates().max_results(VERSIONS_MAX);
    let ids = ec2::ids(select);
    let is_one = ids.as_ref().is_some_and(|ids| ids.len() == 1);
    let call = describe().set_launch_template_ids(ids.clone()).set_filters(Some(ec2::filters(select, "")));
    let found: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    match found.map_err(failed("ec2:DescribeLaunchTemplates")) {
        Err(failure) if failure.trouble == Trouble::NotFound && is_one => Ok(Vec::new()),
        Err(failure) if failure.trouble == Trouble::NotFound => {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            let mut all = all.map_err(failed("ec2:DescribeLaunchTemplates"))?;
            all.retain(|one| {
                one.launch_template_id.as_ref().is_some_and(|id| ids.iter().flatten().any(|it| it == id))
            });
            Ok(all)
        }
        other => other,
    }
}
