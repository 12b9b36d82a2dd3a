# Stops automations on an account that no check has proven: nobody knows yet
# whose it is, or whether it works.
package linkwell.no_run_on_unverified_account

deny contains {"code": "NETWORK_OR_TIMEOUT", "detail": "not_verified"} if {
	not input.connection.verified
}
