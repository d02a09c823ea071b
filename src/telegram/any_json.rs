//! Any JSON at all, made of the names that the Bot API uses, for the laws of those who read its answers.

use proptest::prelude::*;
use serde_json::{Map, Number, Value};

/// Any value; its objects have mostly these names.
pub(super) fn any_json(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        "\\PC{0,12}".prop_map(Value::String),
        "[ ]?-?[0-9]{1,22}(\\.[0-9]{1,3}|e[0-9]{1,3})?".prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 48, 8, move |inner| {
        let name = prop_oneof![
            9 => prop::sample::select(names).prop_map(str::to_owned),
            1 => "\\PC{0,4}",
        ];
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            4 => prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}
