//! `tailgram man`.

use clap::CommandFactory;

use super::{Cli, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A command; without one, the page is that of the program
    command: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    super::print(&page(args.command.as_deref())?)
}

fn page(command: Option<&str>) -> Result<Vec<u8>, Failure> {
    let mut program = Cli::command();
    // Fills in what commands inherit: options of every command, and the names of their pages (tailgram-run).
    program.build();
    let subject = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found.ok_or_else(|| unknown(name, &program))?
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(subject)
        .render(&mut page)
        .map_err(Failure::running)?;
    Ok(page)
}

fn unknown(name: &str, program: &clap::Command) -> Failure {
    let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    Failure::Usage(format!(
        "there is no command {name:?}; there are {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(command: Option<&str>) -> String {
        let page = String::from_utf8(page(command).unwrap()).unwrap();
        page.replace("\\-", "-")
    }

    #[test]
    fn the_page_of_the_program_names_every_command_and_each_has_its_own() {
        let program = text(None);
        for command in Cli::command().get_subcommands() {
            let name = format!("tailgram-{}", command.get_name());
            assert!(program.contains(&name), "{name}");
            assert!(text(Some(command.get_name())).contains(&name), "{name}");
        }
        assert!(text(Some("run")).contains("--dry-run"));
    }

    #[test]
    fn a_page_of_no_command_lists_the_commands() {
        let error = page(Some("walk")).unwrap_err();
        assert!(matches!(error, Failure::Usage(_)));
        assert!(error.to_string().contains("run, check"), "{error}");
    }
}
