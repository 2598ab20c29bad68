import { CONFIG_FLAG, CONFIG_VARIABLE, SETTING_FLAGS } from "../config/flags.ts";
import { SETTINGS } from "../config/settings.ts";
import { PROGRAM } from "./command.ts";
import { type HelpRow, helpRows } from "./help.ts";

/** A space where no line is broken. */
const NO_BREAK = "\u00a0";

/** The help of `serve`: every flag with its default and its environment variable. */
export function serveHelp(): string {
  const text = [
    `Usage: ${PROGRAM} serve --replica tcp://host:port [--replica …] [flags]`,
    `       ${PROGRAM} serve --replicas-dns NAME[:PORT] [flags]`,
    `       ${PROGRAM} serve --config FILE [flags]`,
    "",
    "Accept BuildKit clients (buildx, buildctl) on one address and send each build to one of many",
    "replicas, if it can to one that has its cache. Several fleets (pools) are for the file alone.",
    "",
    "Flags:",
    helpRows([
      ...SETTING_FLAGS.map(({ flag, placeholder, path }) => flagRow(flag, placeholder, path)),
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

function flagRow(flag: string, placeholder: string, path: string): HelpRow {
  const setting = SETTINGS.find((known) => known.path === path)!;
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
