//! The `linkwell` program.

use std::process::ExitCode;

use clap::Parser;
use hub::store::Reach;
use linkwell::{
    cli::{self, Cli, Command},
    telemetry,
};

#[tokio::main]
async fn main() -> ExitCode {
    // Named points where a test lets the process die; see the crash tests.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    let cli = Cli::parse();
    telemetry::start(matches!(&cli.command, Command::Serve(settings) if settings.log_json));
    // The operator's own commands, and what is done at the start, are for all.
    match Reach::every().around(cli::run(cli.command)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linkwell: {error}");
            ExitCode::FAILURE
        }
    }
}
