# Stops automations that would change something at a provider for which a
# permission they need was not given: they would get half-way and fail there.
package linkwell.no_write_if_scope_missing

deny contains {"code": "PERMISSION_MISSING", "detail": "needed_by_run"} if {
	input.run.writes
	count(input.run.scopes_missing) > 0
}
