// sluice completion: a script that completes the command line in a shell.
import { Argument, type Command } from "commander";
import { completionOf, SHELLS, type Shell } from "../completion.ts";
import { print } from "../output.ts";

export function register(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes commands and flags in a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action((shell: Shell) => print(completionOf(shell, program)));
}
