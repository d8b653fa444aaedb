//! What a history may show, and a sweep must have shown at least once, or it proved nothing.

/// A name for `coverage.sometimes`, and what is seen.
pub type Sight = (&'static str, &'static str);

/// Each can be told from a recorded history alone.
pub const SIGHTS: [Sight; 50] = [
    ("slot_queue_nonempty", "a wake waited because its host had no free place"),
    ("cpu_gate_closed", "a host's gate was closed by its CPU"),
    ("pressure_gate_closed", "a host's gate was closed because much waits there for memory or disks"),
    ("stale_gate_closed", "a host's gate was closed because its load was stale or absurd"),
    ("deadline_expired_while_booting", "a wake timed out while its instance booted"),
    ("late_up_after_timeout", "an instance served after its wake had timed out"),
    ("call_failed", "a call was answered with an error"),
    ("call_retried", "a wake called a second time after a call that had no effect"),
    ("outcome_unknown", "a call ended without a word on its effect"),
    ("looked_instead_of_called", "after an unknown outcome the next step was a look"),
    ("retry_after_honoured", "the next call waited for as long as it was told"),
    ("preflight_refused", "a preflight said no"),
    ("already_awake_found", "an instance was found awake"),
    ("token_refreshed", "a new token was used"),
    ("bad_response_classified", "an answer that is none was told as such"),
    ("wake_in_flight_at_fault", "a wake was in flight when a fault began"),
    ("agent_restarted_in_flight", "an agent was started again while a wake of its host was in flight"),
    ("command_refused_epoch", "a command of an old epoch was refused"),
    ("command_expired", "a command was too old when it arrived"),
    ("session_rebuilt", "a session was opened again"),
    ("session_refused", "a session was refused"),
    ("session_taken_over", "an agent with another journal took over the session of a host"),
    ("duplicate_dropped", "a message that came twice was taken once"),
    ("host_cut_with_queue", "a host was out of reach while wakes of it were queued"),
    ("controller_restarted_in_flight", "a controller was started again while wakes were in flight"),
    ("leader_changed", "another controller took the lead"),
    ("stale_leader_refused", "a write or command of a former leader was refused"),
    ("manual_overtook_forecast", "a person's wake was started before an older one by forecast"),
    ("limit_lowered_in_flight", "a limit was lowered below what was running"),
    ("sink_behind", "a receiver of what is told was behind"),
    ("store_failed", "a statement failed"),
    ("commit_unknown", "a commit ended without an answer"),
    ("restore_reconciled", "a wake was put right after an older database was put back"),
    ("write_refused", "a write found no room"),
    ("clock_went_back", "a wall clock showed an earlier time than before"),
    ("window_skipped_with_reason", "a due window was left out with a reason"),
    ("window_in_switch_hour", "a window lay in the hour in which clocks are changed"),
    ("host_lost_in_flight", "a host vanished while a wake of it was in flight"),
    ("permits_lowered", "a host was given fewer places than before"),
    ("model_refused", "a model was not put into service"),
    ("model_degraded", "a model served although data was missing"),
    ("instance_abstained", "an instance was left out because too little is known of it"),
    ("lines_dropped", "lines of a log were left out"),
    ("wake_cap_reached", "a cap on wakes left some out"),
    ("config_refused", "a setting was refused"),
    ("lever_pulled_in_flight", "everything was stopped while wakes were in flight"),
    ("lever_released_with_queue", "everything was released while wakes were queued"),
    ("request_joined", "a second request for the same instance joined the first"),
    ("blind_at_work", "wakes went on while nobody could see them"),
    ("measurement_flagged", "a measurement was told to be implausible"),
];

pub(super) fn known(name: &str) -> bool {
    SIGHTS.iter().any(|(known, _)| *known == name)
}
