/**
 * The scripts for bash and zsh: tables as functions, which both shells read alike, and one function
 * each that walks over the words typed so far. Words and flags are in the script; only values of
 * the running node are asked for, so most of completion costs no process.
 *
 * What a node answers is only ever compared and proposed, never evaluated: a name from elsewhere
 * must not run in somebody's shell. The bash script keeps to what bash 3.2 knows, which macOS has.
 */

import { proposalText } from "./completion-model.ts";
import type { CompletionModel } from "./completion-model.ts";

/** `case` over the first argument; the answer is in REPLY. */
function table(name: string, rows: readonly (readonly [string, string])[]): string[] {
  return [
    `${name}() {`,
    '  case "$1" in',
    ...rows.map(([pattern, text]) => `    ${pattern}) REPLY="${text}" ;;`),
    '    *) REPLY="" ;;',
    "  esac",
    "}",
  ];
}

function tables(model: CompletionModel): string[] {
  const { words, verbs, flagValues, addressFlags } = model;
  const places = verbs.flatMap(({ name, args, rest }) => [
    ...args.map((each, index) => [`"${name}:${index}"`, proposalText(each)] as const),
    ...(rest === undefined ? [] : [[`"${name}:"*`, proposalText(rest)] as const]),
  ]);
  return [
    "# What may follow these words of a verb.",
    ...table(
      "_banyan_words",
      [...words].map(([before, next]) => [`"${before}"`, next.join(" ")] as const),
    ),
    "# The flags of a verb.",
    ...table(
      "_banyan_flags",
      verbs.map(({ name, flags }) => [`"${name}"`, flags.join(" ")] as const),
    ),
    "# What stands after a flag; nothing for a switch.",
    ...table(
      "_banyan_flag_value",
      [...flagValues].map(([flag, proposal]) => [flag, proposalText(proposal)] as const),
    ),
    "# What stands at a place after a verb.",
    ...table("_banyan_place", places),
    "# Flags by which the node is found.",
    ...table("_banyan_address", [[addressFlags.join("|"), "yes"]]),
  ];
}

/** Walks over `words[from … to-1]`; leaves verb, args, address and the flag that wants a value. */
function walk(options: { readonly first: string; readonly last: string; readonly at: string }) {
  const { first, last, at } = options;
  return [
    `  for ((index = ${first}; index < ${last}; index++)); do`,
    `    word="${at}"`,
    '    if [[ -n "$flag" ]]; then',
    '      [[ "$word" == "=" ]] && continue',
    '      _banyan_address "$flag"',
    '      [[ -n "$REPLY" ]] && address+=("$flag=$word")',
    '      flag=""',
    '    elif [[ "$word" == --*=* ]]; then',
    '      _banyan_address "${word%%=*}"',
    '      [[ -n "$REPLY" ]] && address+=("$word")',
    '    elif [[ "$word" == -* ]]; then',
    '      _banyan_flag_value "$word"',
    '      [[ -n "$REPLY" ]] && flag="$word"',
    "    else",
    '      _banyan_words "$verb"',
    '      if [[ ${#args[@]} -eq 0 && " $REPLY " == *" $word "* ]]; then',
    '        verb="${verb:+$verb }$word"',
    "      else",
    '        args+=("$word")',
    "      fi",
    "    fi",
    "  done",
  ];
}

/** Sets `proposal`, and `candidates` where words may stand. */
const decide = [
  '  if [[ -n "$flag" ]]; then',
  '    _banyan_flag_value "$flag"; proposal="$REPLY"',
  '  elif [[ "$current" == -* ]]; then',
  '    _banyan_flags "$verb"; proposal="words:${REPLY:---help --version}"',
  "  else",
  '    [[ ${#args[@]} -eq 0 ]] && { _banyan_words "$verb"; candidates="$REPLY"; }',
  '    _banyan_place "$verb:${#args[@]}"; proposal="$REPLY"',
  "  fi",
];

export function bashCompletion(model: CompletionModel): string {
  const lines = [
    "# Completion of banyan for bash, written by `banyan completion bash`; do not edit.",
    ...tables(model),
    "_banyan_propose() {",
    '  if [[ "$1" == "$2"* ]]; then COMPREPLY+=("$1"); fi',
    "}",
    "_banyan() {",
    '  local REPLY="" verb="" flag="" word="" proposal="" candidates="" index',
    "  local -a args address",
    "  args=() address=() COMPREPLY=()",
    '  local current="${COMP_WORDS[COMP_CWORD]}"',
    "  # bash takes --flag=value apart at the equals sign.",
    '  [[ "$current" == "=" ]] && current=""',
    ...walk({ first: "1", last: "COMP_CWORD", at: "${COMP_WORDS[index]}" }),
    ...decide,
    '  for word in $candidates; do _banyan_propose "$word" "$current"; done',
    '  case "$proposal" in',
    '    words:*) for word in ${proposal#words:}; do _banyan_propose "$word" "$current"; done ;;',
    "    ask:*)",
    "      # What stands after an equals sign is a value: anything.",
    '      [[ "${COMP_WORDS[COMP_CWORD]}" == "=" ||' +
      ' "${COMP_WORDS[COMP_CWORD-1]}" == "=" ]] && [[ -z "$flag" ]] && return',
    '      [[ "$proposal" == *-field ]] && compopt -o nospace 2>/dev/null',
    '      while IFS= read -r word; do _banyan_propose "$word" "$current"; done < <(',
    '        "${COMP_WORDS[0]}" complete-values "${proposal#ask:}" ${args[@]+"${args[@]}"} \\',
    '          ${address[@]+"${address[@]}"} 2>/dev/null',
    "      ) ;;",
    "    file|folder)",
    "      compopt -o filenames 2>/dev/null",
    '      local how=-f; [[ "$proposal" == folder ]] && how=-d',
    '      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(',
    '        compgen "$how" -- "$current"',
    "      ) ;;",
    "  esac",
    "}",
    "complete -F _banyan banyan",
    "",
  ];
  return lines.join("\n");
}

export function zshCompletion(model: CompletionModel): string {
  const lines = [
    "#compdef banyan",
    "# Completion of banyan for zsh, written by `banyan completion zsh`; do not edit.",
    ...tables(model),
    "_banyan() {",
    '  local REPLY="" verb="" flag="" word="" proposal="" candidates="" index',
    "  local -a args address found joined",
    '  local current="${words[CURRENT]}"',
    "  # A value joined to its flag: what stands before the equals sign is kept as it is.",
    '  if [[ "$current" == --*=* ]]; then',
    '    flag="${current%%=*}"; current="${current#*=}"; compset -P "*="',
    '    _banyan_flag_value "$flag"; proposal="$REPLY"; flag=""',
    ...walk({ first: "2", last: "CURRENT", at: "${words[index]}" }).map((line) => `  ${line}`),
    "  else",
    ...walk({ first: "2", last: "CURRENT", at: "${words[index]}" }).map((line) => `  ${line}`),
    ...decide.map((line) => `  ${line}`),
    "  fi",
    '  [[ -n "$candidates" ]] && compadd -- ${=candidates}',
    '  case "$proposal" in',
    "    words:*) compadd -- ${=proposal#words:} ;;",
    "    ask:*)",
    '      found=("${(@f)$("${words[1]}" complete-values "${proposal#ask:}" $args $address 2>/dev/null)}")',
    '      [[ "$proposal" == *-field ]] && joined=(-S "")',
    '      compadd "${(@)joined}" -- "${(@)found:#}" ;;',
    "    file) _files ;;",
    "    folder) _files -/ ;;",
    "  esac",
    "}",
    "# Autoloaded by compinit, or read from a start-up file.",
    'if [[ "$funcstack[1]" == "_banyan" ]]; then _banyan "$@"; else compdef _banyan banyan; fi',
    "",
  ];
  return lines.join("\n");
}
