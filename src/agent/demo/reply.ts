const FENCE = /^(`{3,}|~{3,})reply[^\n]*\n([\s\S]*?)^\1[ \t]*$/m
const LINE = /^\W*(?:(?:the|human|operator|human's|operator's)\s+)*(?:reply|answer)\W*:\s*(\S[^\n]*)$/im
const SECTION =
  /^\W*(?:(?:the|human|operator|human's|operator's)\s+)*(?:reply|answer)\W*$\s*^([\s\S]+?)(?=^#|^\s*$|(?![\s\S]))/im

/** A person's answer in the prompt that brings it: a block, a line or a section of that name, else all of it. */
export const replyIn = (prompt: string): string =>
  (FENCE.exec(prompt)?.[2] ?? LINE.exec(prompt)?.[1] ?? SECTION.exec(prompt)?.[1] ?? prompt).trim()
