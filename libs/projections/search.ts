/** A text without case nor accents, ligatures opened: « Œuvre Étoilée » and « oeuvre etoilee » are one. */
export function normalised(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replaceAll('œ', 'oe')
    .replaceAll('æ', 'ae')
    .replaceAll('’', "'");
}

/** The LIKE pattern (escape character `\`) of what contains a text to the letter, case and accents aside. */
export function containing(text: string): string {
  return `%${normalised(text).replace(/[\\%_]/g, '\\$&')}%`;
}
