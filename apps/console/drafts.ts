const PREFIX = 'jalon.saisie.';

/** What is being typed in a form, and the key under which it is sent until it is recorded. */
export type Draft = { data: Record<string, unknown>; effectiveAt: string; behalf: string; nom: string; key: string };

/** The form of a fact of a dossier; of a correction, with the fact that it touches. */
export function formOfFact(dossier: string, type: string, touched = ''): string {
  return `${dossier}.${type}.${touched}`;
}

/**
 * What one person types in a session, in this tab: nobody who logs in afterwards is shown it, and it ends with the session.
 * @param session its id; nothing is kept for who is not logged in
 */
export class Drafts {
  constructor(
    private readonly session: string | undefined,
    private readonly isOver: () => boolean,
  ) {}

  read(form: string): Partial<Draft> | null {
    try {
      return JSON.parse(sessionStorage.getItem(this.#place(form)) ?? 'null') as Partial<Draft> | null;
    } catch {
      // Cut short, or another build's: the form begins anew.
      return null;
    }
  }

  /** A file may be read, or an answer come, when the session is over already: nothing is left behind then. */
  keep(form: string, draft: Draft): void {
    if (this.session !== undefined && !this.isOver()) sessionStorage.setItem(this.#place(form), JSON.stringify(draft));
  }

  drop(form: string): void {
    sessionStorage.removeItem(this.#place(form));
  }

  #place(form: string): string {
    return `${PREFIX}${this.session}.${form}`;
  }
}

/** Everything that was being typed in this tab, whoever did. */
export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}
