import { CONFIG_FLAG, CONFIG_VARIABLE, type SettingFlag } from "../config/flags.ts";
import type { Setting } from "../config/settings.ts";
import { type HelpRow, helpRows } from "./help.ts";

/** A space where no line is broken. */
const NO_BREAK = "\u00a0";

/** What the help of a service is made of. */
export interface SettingsHelp {
  /** Its first lines: how it is called, and what it does. */
  readonly usage: readonly string[];
  readonly flags: readonly SettingFlag[];
  readonly settings: readonly Setting[];
}

/** The help of a command that serves: every flag with its default and its environment variable. */
export function settingsHelp({ usage, flags, settings }: SettingsHelp): string {
  const text = [
    ...usage,
    "",
    "Flags:",
    helpRows([
      ...flags.map((flag) => flagRow(flag, settings)),
      {
        term: `${CONFIG_FLAG} FILE`,
        lines: ["YAML file with these and all other settings (docs/configuration.md).", `env ${CONFIG_VARIABLE}`],
      },
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "A flag wins over its environment variable, the variable over the file, the file over the default.",
    "",
    "Signals: after SIGTERM, /readyz fails at once, and new connections are still accepted for",
    "--drain-delay; then running builds may finish for --grace, and it exits with 0. SIGINT does the",
    "same without the delay. A second signal ends at once with 1.",
    "",
    "Exit status: 0 ended as asked; 1 could not start, or was ended at once; 2 wrong configuration.",
    "",
  ].join("\n");
  return text.replaceAll(NO_BREAK, " ");
}

function flagRow({ flag, placeholder, path }: SettingFlag, settings: readonly Setting[]): HelpRow {
  const setting = settings.find((known) => known.path === path)!;
  const facts = [
    ...(setting.typeLabel.toUpperCase() === placeholder ? [] : [setting.typeLabel]),
    ...(setting.defaultText === undefined ? [] : [`default${NO_BREAK}${setting.defaultText}`]),
    `env${NO_BREAK}${setting.variable}`,
    ...(setting.isList ? ["repeatable"] : []),
  ];
  const lines = [firstSentence(setting.description), facts.join("; ")];
  return { term: `${flag} ${placeholder}`, lines: lines.map((line) => line.replaceAll("`", "")) };
}

function firstSentence(text: string): string {
  return /^.*?\.(?= |$)/.exec(text)?.[0] ?? text;
}
