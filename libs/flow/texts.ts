/** What is never seen in a text, wherever it stands; variation selectors and joiners, which shape what is seen, are not. */
const UNSEEN =
  '\\p{Cc}\\p{Cs}\\p{Noncharacter_Code_Point}' +
  // Embeddings, overrides and isolates of direction; other formats without a shape; tags.
  '\\u00ad\\u034f\\u180e\\u200b\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e00ff}\\u{e01f0}-\\u{e0fff}' +
  // Letters that are blank.
  '\\u115f\\u1160\\u17b4\\u17b5\\u3164\\uffa0';
// Joiners and variation selectors beside what they shape nothing of, as Latin letters are.
const IDLE =
  /(?<!\P{ASCII})[\u200c\u200d]|[\u200c\u200d](?!\P{ASCII})|(?<=^|[A-Za-z\s])[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
// Marks of direction where nothing is written from right to left.
const MARK = /[\u061c\u200e\u200f]/u;
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const LINE_ENDS = /[\n\u2028\u2029]/u;
const ON_ONE_LINE = new RegExp(`[${UNSEEN}\\u2028\\u2029]`, 'u');
const ON_SEVERAL = new RegExp(`(?!\\n)[${UNSEEN}]`, 'u');

// A braille cell without a dot is a symbol to Unicode, and a blank to whoever looks.
const SEEN = /[^\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{M}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u;

/**
 * What is wrong with a text for a reader, as a French sentence: nothing in it is seen, or something is not (control
 * characters, overrides of direction, invisible formats, tags, noncharacters, halves of a pair). Line feeds are right where
 * the text may have several lines. Undefined when it is right.
 */
export function unseenIn(text: string, { lines }: { lines: boolean }): string | undefined {
  if (!SEEN.test(text)) return 'Ce texte ne peut pas être vide.';
  const found =
    (lines ? ON_SEVERAL : ON_ONE_LINE).exec(text) ??
    IDLE.exec(text) ??
    (RIGHT_TO_LEFT.test(text) ? null : MARK.exec(text));
  if (!found) return undefined;
  if (!lines && LINE_ENDS.test(found[0])) return 'Ce texte tient sur une ligne : retirez le retour à la ligne.';
  const code = (found[0].codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0');
  const place = [...text.slice(0, found.index)].length + 1;
  return `Le caractère n° ${place} de ce texte ne se voit pas (U+${code}) : retirez-le.`;
}

// No store keeps these faithfully: control characters other than line feed and tab, halves of surrogate pairs.
const UNSTORABLE = /(?![\n\t])[\p{Cc}\p{Cs}]/u;

/** Whether a text can be stored and read back to the letter: no control character, no lone surrogate. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** A text without what does not tell two names apart: compatibility forms (NFKC), case, how many spaces. */
function plainName(text: string): string {
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(/\s+/g, ' ').trim();
}

/** Luhn's formula (ISO/IEC 7812-1). */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let place = 1; place <= digits.length; place += 1) {
    const digit = Number(digits.at(-place)) * (place % 2 === 1 ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

// The establishments of La Poste are too many for the formula: the digits of their SIRET add up to a multiple of five.
const LA_POSTE = '356000000';
const isOfLaPoste = (siret: string) =>
  siret.startsWith(LA_POSTE) && [...siret].reduce((sum, digit) => sum + Number(digit), 0) % 5 === 0;

/** The SIREN that a text gives, itself or by a SIRET, as people type them (« 732 829 320 »); undefined when it is neither. */
export function sirenOf(text: string): string | undefined {
  const digits = text.replace(/\s/g, '');
  if (!/^(\d{9}|\d{14})$/.test(digits)) return undefined;
  const siren = digits.slice(0, 9);
  if (siren === '000000000' || !hasCheckDigit(siren)) return undefined;
  return digits.length === 9 || hasCheckDigit(digits) || isOfLaPoste(digits) ? siren : undefined;
}

/** Whether two texts name the same organisation, where that decides who owns a dossier. */
export function isSameParty(one: string, other: string): boolean {
  const party = partyOf(one);
  return party !== '' && party === partyOf(other);
}

/** The parties of the texts that were last asked for: every request and every fact that leaves asks for a few of them. */
const parties = new Map<string, string>();
const PARTIES_KEPT = 10_000;

/**
 * What an organisation is known by where it decides who owns a dossier: its SIREN when the text is one (or a SIRET), else
 * its name as `plainName` has it. Two organisations that it takes for one see each other's dossiers: it folds nothing more.
 */
export function partyOf(text: string): string {
  let party = parties.get(text);
  if (party === undefined) {
    party = sirenOf(text) ?? plainName(text);
    if (parties.size >= PARTIES_KEPT) parties.clear();
    parties.set(text, party);
  }
  return party;
}

const LETTERS: Readonly<Record<string, string>> = {
  œ: 'oe',
  æ: 'ae',
  ß: 'ss',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
};
const LETTER = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'g');

/**
 * A text as it is searched and sorted: like `plainName`, and without accents, ligatures opened, hyphens and apostrophes of
 * every kind read as spaces. « L’Œuvre-Étoilée » and « l'oeuvre etoilee » are one.
 */
export function searchable(text: string): string {
  const letters = plainName(text)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .replace(LETTER, (letter) => LETTERS[letter] as string);
  return letters.replace(/[\p{Pd}\u2212\u00ad'’‘ʼ‛`´\s]+/gu, ' ').trim();
}
