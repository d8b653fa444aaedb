//! How a kind of fault is declared: its struct, defaults, ranges and documentation from one place, so none can drift.

/// Declares faults of a layer. The first line of the doc comment of a fault is its idea, of a parameter its meaning.
macro_rules! faults {
    ($(
        #[doc = $idea:literal]
        $kind:ident = $name:literal,
        modes: $modes:expr, targets: [$($target:ident),+], hit: $hit:literal,
        { $( #[doc = $meaning:literal] $param:ident: $type:ty = $default:expr, in $range:expr; )* }
    )+) => { $(
        #[doc = $idea]
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[non_exhaustive]
        pub struct $kind {
            $( #[doc = $meaning] pub $param: $type, )*
        }

        impl Default for $kind {
            fn default() -> Self {
                Self { $( $param: $default, )* }
            }
        }

        impl $kind {
            pub const INFO: $crate::experiment::catalogue::KindInfo = $crate::experiment::catalogue::KindInfo {
                name: $name,
                idea: $idea.trim_ascii_start(),
                modes: $modes,
                targets: &[$( $crate::experiment::file::TargetKind::$target ),+],
                hit: $hit,
                params: Self::params,
            };

            /// All that is wrong, not only the first.
            pub fn read(
                given: &serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, Vec<$crate::experiment::catalogue::ParamProblem>> {
                let mut reader = $crate::experiment::catalogue::param::Reader::new(given);
                reader.refuse_others(&[$( stringify!($param) ),*]);
                let read = Self { $( $param: reader.take(stringify!($param), &$range, $default), )* };
                reader.finish(read)
            }

            fn params() -> Vec<$crate::experiment::catalogue::ParamInfo> {
                vec![ $( $crate::experiment::catalogue::ParamInfo {
                    name: stringify!($param),
                    default: serde_json::json!($default),
                    range: <$type as $crate::experiment::catalogue::Param>::range_text(&$range),
                    meaning: $meaning.trim_ascii_start(),
                } ),* ]
            }
        }
    )+ };
}

/// Declares a parameter that is one of a few words, written in the file as its variant in snake case.
macro_rules! choices {
    ($( #[doc = $doc:literal] $name:ident { $( #[doc = $meaning:literal] $variant:ident ),+ $(,)? } )+) => { $(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $( #[doc = $meaning] $variant, )+
        }

        impl $crate::experiment::catalogue::Param for $name {
            type Range = ();

            fn read(value: &serde_json::Value, (): &()) -> Result<Self, String> {
                let no = |_| format!("{value} is none of {}", Self::range_text(&()));
                serde_json::from_value(value.clone()).map_err(no)
            }

            fn range_text((): &()) -> String {
                let all = [ $( serde_json::json!(Self::$variant) ),+ ];
                all.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(", ")
            }
        }
    )+ };
}
