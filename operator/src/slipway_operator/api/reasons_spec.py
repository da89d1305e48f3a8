"""Reasons for a document that cannot be acted upon: rows of the catalogue (see `reasons`)."""

from typing import Final

# name, event type, template, what the user should do
ROWS: Final = (
    (
        "YAMLInvalid",
        "Warning",
        "{detail}",
        "Mend the YAML at the line and column given.",
    ),
    (
        "KindUnknown",
        "Warning",
        "{detail}",
        "Use kind ModelDeployment (slipway.dev/v1alpha1), or Secret (v1) for credentials.",
    ),
    (
        "NameInvalid",
        "Warning",
        "{detail}",
        "Choose a name of 1 to 45 lower-case letters, digits and dashes, starting with a letter.",
    ),
    (
        "FieldUnknown",
        "Warning",
        "{detail}",
        "Take the field out, or write it as the message suggests; `kubectl explain md.spec` lists "
        "all fields.",
    ),
    ("FieldMissing", "Warning", "{detail}", "Add the field."),
    ("TypeInvalid", "Warning", "{detail}", "Write the value in the type that the field takes."),
    ("ValueInvalid", "Warning", "{detail}", "Choose a value that the field takes."),
    (
        "FieldConflict",
        "Warning",
        "{detail}",
        "Keep one of the fields that exclude each other, or add the one that is needed beside it.",
    ),
    (
        "FieldNotYetSupported",
        "Warning",
        "{detail}",
        "Take the field out; this version has no machinery for it and would have to ignore it.",
    ),
    (
        "InvalidSpec",
        "Warning",
        "{detail}",
        "Mend every problem that `slipway describe` lists and apply again.",
    ),
)
