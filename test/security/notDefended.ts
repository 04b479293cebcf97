/** A case, or a part of one, that nothing defends against yet: it stands in docs/security.md as such. */
export const notDefended = (_case: string, _why: string): void => {}
