//! The `spore` binary: see [`spore_drive::cli`].
fn main() -> std::process::ExitCode {
    spore_drive::cli::main()
}
