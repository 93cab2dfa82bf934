/** The script for fish: the same walk as for the other shells, in its own language. */

import { proposalText } from "./completion-model.ts";
import type { CompletionModel } from "./completion-model.ts";

/** A function that prints what belongs to its first argument. */
function table(name: string, rows: readonly (readonly [string, string])[]): string[] {
  return [
    `function ${name}`,
    '  switch "$argv[1]"',
    ...rows.map(([pattern, text]) => `    case '${pattern}'; echo '${text}'`),
    "  end",
    "end",
  ];
}

export function fishCompletion(model: CompletionModel): string {
  const { words, verbs, flagValues, addressFlags } = model;
  const places = verbs.flatMap(({ name, args, rest }) => [
    ...args.map((each, index) => [`${name}:${index}`, proposalText(each)] as const),
    // A pattern of fish; the places above come first, so they count first.
    ...(rest === undefined ? [] : [[`${name}:*`, proposalText(rest)] as const]),
  ]);
  const lines = [
    "# Completion of banyan for fish, written by `banyan completion fish`; do not edit.",
    ...table(
      "__banyan_words",
      [...words].map(([before, next]) => [before, next.join(" ")] as const),
    ),
    ...table(
      "__banyan_flags",
      verbs.map(({ name, flags }) => [name, flags.join(" ")] as const),
    ),
    ...table(
      "__banyan_flag_value",
      [...flagValues].map(([flag, proposal]) => [flag, proposalText(proposal)] as const),
    ),
    ...table("__banyan_place", places),
    "function __banyan_complete",
    ...walk(addressFlags.join(" ")),
    ...propose,
    "end",
    "complete -c banyan -f -a '(__banyan_complete)'",
    "",
  ];
  return lines.join("\n");
}

/** Over the words before the cursor: leaves verb, args, address and the flag that wants a value. */
function walk(addressFlags: string): string[] {
  return [
    "  set -l typed (commandline -opc)",
    "  set -l current (commandline -ct)",
    "  set -l verb ''",
    "  set -l flag ''",
    "  set -l args",
    "  set -l address",
    "  for word in $typed[2..-1]",
    '    if test -n "$flag"',
    `      contains -- "$flag" ${addressFlags}; and set -a address "$flag=$word"`,
    "      set flag ''",
    "    else if string match -q -- '--*=*' $word",
    "      set -l name (string split -m1 = -- $word)[1]",
    `      contains -- "$name" ${addressFlags}; and set -a address $word`,
    "    else if string match -q -- '-*' $word",
    "      set -l value (__banyan_flag_value $word)",
    '      test -n "$value"; and set flag $word',
    "    else if test (count $args) -eq 0;" +
      ' and contains -- $word (string split " " -- (__banyan_words "$verb"))',
    '      set verb (string trim -- "$verb $word")',
    "    else",
    "      set -a args $word",
    "    end",
    "  end",
  ];
}

/** Prints what may stand at the cursor. */
const propose = [
  "  set -l proposal",
  "  set -l before ''",
  '  if test -n "$flag"',
  "    set proposal (__banyan_flag_value $flag)",
  "  else if string match -q -- '--*=*' $current",
  "    set before (string split -m1 = -- $current)[1]=",
  "    set proposal (__banyan_flag_value (string split -m1 = -- $current)[1])",
  "  else if string match -q -- '-*' $current",
  '    set -l flags (__banyan_flags "$verb")',
  '    test -n "$flags"; or set flags "--help --version"',
  '    string split " " -- $flags',
  "  else",
  '    test (count $args) -eq 0; and string split -n " " -- (__banyan_words "$verb")',
  '    set proposal (__banyan_place "$verb:"(count $args))',
  "  end",
  '  switch "$proposal"',
  "    case 'words:*'",
  '      set -l found (string split " " -- (string replace words: "" -- $proposal))',
  '      printf "%s\\n" $before$found',
  "    case 'ask:*'",
  '      set -l found ($typed[1] complete-values (string replace ask: "" -- $proposal) ' +
    "$args $address 2>/dev/null)",
  '      test -n "$found"; and printf "%s\\n" $before$found',
  "    case file",
  "      __fish_complete_path $current",
  "    case folder",
  "      __fish_complete_directories $current ''",
  "  end",
];
