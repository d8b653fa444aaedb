//! A wake command as the journal keeps it.

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId, edge::WakeCommand, v1};
use serde::{Deserialize, Serialize};

/// What the controller ordered: one attempt of one wake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub wake: WakeId,
    pub epoch: u64,
    pub attempt: u32,
    pub instance: InstanceId,
    #[serde(with = "reason")]
    pub reason: v1::Reason,
    pub deadline: Timestamp,
    pub idempotency_key: String,
    /// Never call: an earlier call may have had its effect.
    pub look_only: bool,
}

impl From<WakeCommand> for Order {
    fn from(command: WakeCommand) -> Self {
        let WakeCommand { wake, epoch, attempt, instance, reason, deadline, idempotency_key, look_only } =
            command;
        Self { wake, epoch, attempt, instance, reason, deadline, idempotency_key, look_only }
    }
}

/// The contract's enums go to disk under the names the contract gives them.
macro_rules! by_name {
    ($module:ident, $name:ty) => {
        pub(super) mod $module {
            use reveille_proto::v1;
            use serde::{Deserialize, Deserializer, Serializer, de};

            pub(in crate::execute) fn serialize<S: Serializer>(
                value: &$name,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(value.as_str_name())
            }

            pub(in crate::execute) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$name, D::Error> {
                let name = String::deserialize(deserializer)?;
                <$name>::from_str_name(&name)
                    .ok_or_else(|| de::Error::custom(format!("unknown name {name:?}")))
            }
        }
    };
}

by_name!(reason, v1::Reason);
by_name!(outcome, v1::Outcome);
by_name!(effect, v1::Effect);
by_name!(phase, v1::Phase);
