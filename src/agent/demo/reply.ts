const FENCE = /^(`{3,}|~{3,})reply[^\n]*\n([\s\S]*?)^\1[ \t]*$/m
/** As symphony's own prompt puts it. */
const SECTION = /^The answer is:\s*\n\n([\s\S]*?)(?=\n\nGo on with the issue\b|(?![\s\S]))/m

/** A person's answer in the prompt that brings it; all of the prompt where it is not marked. */
export const replyIn = (prompt: string): string =>
  (FENCE.exec(prompt)?.[2] ?? SECTION.exec(prompt)?.[1] ?? prompt).trim()
