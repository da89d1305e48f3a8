"""Reasons of a build, as its report gives them: rows of the catalogue (see `reasons`)."""

from typing import Final

# name, event type, template, what the user should do
ROWS: Final = (
    ("Building", "Normal", "Build {build}: {stage}.", ""),
    ("Built", "Normal", "Build {build} made {artifact}.", ""),
    (
        "Reused",
        "Normal",
        "Build {build}: reused the artifact {artifact}, no Job was needed.",
        "",
    ),
    (
        "BuildQueued",
        "Normal",
        'The build waits: {running} builds of other models run in namespace "{namespace}".',
        "Nothing: it begins as soon as one of them ends.",
    ),
    (
        "ArchiveTooLarge",
        "Warning",
        "{detail}",
        "Pack less into the archive, or ask the administrator to raise the build limits.",
    ),
    (
        "ArchiveUnsafe",
        "Warning",
        "{detail}",
        "Pack the model again with plain files and folders only: no links, no `..`, no devices.",
    ),
    (
        "BuildInterrupted",
        "Warning",
        "{detail}",
        "Nothing: the build is tried again. If it repeats, look at `slipway logs`.",
    ),
    (
        "ConversionUnsupported",
        "Warning",
        "{detail}",
        "Set spec.model.runtime to Auto or Native, or train with an estimator that converts.",
    ),
    (
        "DeadlineExceeded",
        "Warning",
        "{detail}",
        "Make the model smaller, give fewer samples, or ask the administrator for a longer build.",
    ),
    (
        "DigestMismatch",
        "Warning",
        "{detail}",
        "Put the digest of the bytes you mean into the spec, or put the right file back.",
    ),
    ("DiskFull", "Warning", "{detail}", "Free space where the message says, then apply again."),
    (
        "FetchTimeout",
        "Warning",
        "{detail}",
        "Check that the store is reachable and fast enough; the build is tried again.",
    ),
    (
        "ModelAccessDenied",
        "Warning",
        "{detail}",
        "Put the keys in the Secret that spec.model.access.secretRef names right; a store is asked "
        "again.",
    ),
    (
        "ModelNotFound",
        "Warning",
        "{detail}",
        "Correct spec.model.uri, or upload the file; a store is asked again.",
    ),
    (
        "ModelRejected",
        "Warning",
        "{detail}",
        "Save the model again with a released version of its library and try `slipway check`.",
    ),
    (
        "ModelTooLarge",
        "Warning",
        "{detail}",
        "Make the model smaller, or ask the administrator to raise the build limits.",
    ),
    (
        "ModelUnreadable",
        "Warning",
        "{detail}",
        "Save the model again, in one of the forms that its framework has for it, and upload it.",
    ),
    (
        "ModelUnsafe",
        "Warning",
        "{detail}",
        "Save the model with skops or as ONNX, without code of its own.",
    ),
    (
        "ModelVersionMismatch",
        "Warning",
        "{detail}",
        "Name the versions that saved it in spec.model.packages, or save the model again.",
    ),
    (
        "OutOfMemory",
        "Warning",
        "{detail}",
        "Raise spec.serving.resources.limits.memory if a pod had too little, ask the administrator "
        "if a build had; or make the model smaller.",
    ),
    (
        "ParityExceeded",
        "Warning",
        "{detail}",
        "Set spec.model.runtime to Auto or Native to serve the original model.",
    ),
    (
        "PublishFailed",
        "Warning",
        "{detail}",
        "Check the artifact store that the message names; the build is tried again.",
    ),
    (
        "SamplesInvalid",
        "Warning",
        "{detail}",
        "Give samples with the columns that the model was trained with.",
    ),
    (
        "SourceUnavailable",
        "Warning",
        "{detail}",
        "Nothing: the build is tried again. If it stays, check the host in spec.model.uri.",
    ),
    (
        "TrainingEnvironmentUnavailable",
        "Warning",
        "{detail}",
        "Correct spec.model.packages or save the model again, as the message says. Where the index "
        "did not answer, nothing: the build is tried again.",
    ),
    (
        "URIForbidden",
        "Warning",
        "{detail}",
        "Use an https, s3, gs, az or oci address of a public host, without user and password; keys "
        "go into a Secret.",
    ),
    (
        "URISchemeNotYetSupported",
        "Warning",
        "{detail}",
        "Use https, s3, gs, az or oci; on a laptop also file, on a cluster also pvc.",
    ),
    (
        "SecretNotFound",
        "Warning",
        'Secret "{secret}" that {path} names does not exist in namespace "{namespace}".',
        "Create the Secret; the build starts by itself as soon as it exists.",
    ),
    ("Verified", "Normal", "{rows} rows gave equal answers in ONNX and in the original.", ""),
    (
        "NotVerified",
        "Warning",
        "No rows could be made to compare the converted model with the original.",
        "Give rows in spec.model.samples.",
    ),
    ("NativeRequested", "Normal", "The original model is served, as spec.model.runtime asks.", ""),
    (
        "NativeFallback",
        "Normal",
        "The original model is served because it was not converted: {detail}",
        "Nothing: answers are those of the original. See the message for what would make it ONNX.",
    ),
    ("OriginalIsONNX", "Normal", "The model was ONNX already and is served as it is.", ""),
)
