// Scripts that complete the command line in a shell, made from the table of commands. They hold the
// words themselves, so that a press of Tab starts no process.
import type { Command } from "commander";
import { settingVariables } from "../core/settings/settings.ts";
import { flagOf } from "./flags.ts";
import { pathOf, WITHOUT_SETTINGS, withParts } from "./program.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow a command. */
interface Words {
  /** `/dead/list`; empty for the program. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly says: string }[];
  readonly flags: readonly { readonly name: string; readonly says: string }[];
  readonly takesSettings: boolean;
}

export function completionOf(shell: Shell, program: Command): string {
  const words = withParts(program).map(wordsOf);
  return SCRIPTS[shell](words);
}

function wordsOf(command: Command): Words {
  const path = pathOf(command);
  const first = path.split(" ")[0] ?? "";
  const commands = command.commands.map((part) => ({
    name: part.name(),
    says: part.description(),
  }));
  const choices = command.registeredArguments.flatMap(({ argChoices = [], description }) =>
    argChoices.map((name) => ({ name, says: description })),
  );
  const own = command.options
    .filter(({ hidden, long }) => !hidden && long)
    .map(({ long, description }) => ({ name: long ?? "", says: description }));
  const launcher = command.parent
    ? []
    : [
        { name: "help", says: "show the help of a command" },
        { name: "test", says: "run all tests" },
        { name: "docs", says: "build the documents as a site" },
      ];
  return {
    path: path === "" ? "" : `/${path.replaceAll(" ", "/")}`,
    commands: [...commands, ...choices, ...launcher],
    flags: [...own, { name: "--help", says: "show usage and options" }],
    takesSettings: first !== "" && !WITHOUT_SETTINGS.has(first),
  };
}

const settingFlags = (): string => settingVariables().map(flagOf).join(" ");
const names = (list: readonly { readonly name: string }[]): string =>
  list.map(({ name }) => name).join(" ");

const SCRIPTS: Readonly<Record<Shell, (words: readonly Words[]) => string>> = {
  bash: (words) => `# Completes sluice in bash: source <(./sluice completion bash)
_sluice() {
  local at='' word commands='' flags='' settings=''
  local current=\${COMP_WORDS[COMP_CWORD]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${descend(words, "    ")}
  done
  case $at in
${words.map(bashCase).join("\n")}
  esac
  if [[ $current == -* ]]; then commands="$flags"; fi
  if [[ $current == --* && $settings == yes ]]; then
    commands="$commands ${settingFlags()}"
  fi
  COMPREPLY=($(compgen -W "$commands" -- "$current"))
}
complete -o default -F _sluice sluice ./sluice
`,
  zsh: (words) => `#compdef sluice
# Completes sluice in zsh: source <(./sluice completion zsh)
_sluice() {
  local at='' word settings=''
  local -a commands flags
  for word in \${words[2,CURRENT-1]}; do
${descend(words, "    ")}
  done
  case $at in
${words.map(zshCase).join("\n")}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe flag flags
    if [[ $PREFIX == --* && $settings == yes ]]; then
      compadd -- ${settingFlags()}
    fi
  elif (( \${#commands} )); then
    _describe command commands
  else
    _files
  fi
}
compdef _sluice sluice ./sluice
`,
  fish: (words) => `# Completes sluice in fish: ./sluice completion fish | source
function __sluice_at
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at/$word"
      case ${words.flatMap(({ path }) => (path === "" ? [] : [`'${path}'`])).join(" ")}
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
function __sluice_takes_settings
  set -l words (commandline -opc)
  string match -q -- '--*' (commandline -ct); or return 1
  contains -- "$words[2]" ${words
    .filter(({ path, takesSettings }) => takesSettings && path.lastIndexOf("/") === 0)
    .map(({ path }) => path.slice(1))
    .join(" ")}
end
${words.flatMap(fishLines).join("\n")}
complete -c sluice -n __sluice_takes_settings -a '${settingFlags()}'
`,
};

/** Follows the sub-commands among the words before the cursor. */
function descend(words: readonly Words[], indent: string): string {
  const paths = words.filter(({ path }) => path !== "").map(({ path }) => path);
  return [`case $at/$word in`, `  ${paths.join(" | ")}) at=$at/$word ;;`, "esac"]
    .map((line) => indent + line)
    .join("\n");
}

function bashCase({ path, commands, flags, takesSettings }: Words): string {
  const settings = takesSettings ? " settings=yes" : "";
  return `    '${path}') commands='${names(commands)}' flags='${names(flags)}'${settings} ;;`;
}

function zshCase({ path, commands, flags, takesSettings }: Words): string {
  const settings = takesSettings ? " settings=yes" : "";
  const all = (list: Words["flags"]) =>
    list.map(({ name, says }) => quoted(`${name.replaceAll(":", "\\:")}:${says}`)).join(" ");
  return `    '${path}') commands=(${all(commands)}) flags=(${all(flags)})${settings} ;;`;
}

function fishLines({ path, commands, flags }: Words): string[] {
  const when = `complete -c sluice -n "__sluice_at '${path}'"`;
  return [
    ...commands.map(({ name, says }) => `${when} -f -a ${name} -d ${quoted(says)}`),
    ...flags.map(({ name, says }) => `${when} -l ${name.slice(2)} -d ${quoted(says)}`),
  ];
}

/** For all three shells. */
const quoted = (text: string): string => `'${text.replaceAll("'", "’")}'`;
