import secnumcloud32 from './secnumcloud/v1/secnumcloud-3.2.json' with { type: 'json' };

/** A référentiel at one of its versions: its chapters and sections with their titles, and the numbers of its requirements. */
export type Referentiel = {
  nom: string;
  version: string;
  chapitres: { chapitre: string; titre: string; sections: { section: string; titre: string; exigences: string[] }[] }[];
};

/** What each version of a procedure (`name/version`) evaluates against, for whoever has to name a requirement. */
export const exigences: Readonly<Record<string, readonly Referentiel[]>> = {
  'secnumcloud/1': [secnumcloud32].map(({ referentiel, version, chapters, requirements }) => ({
    nom: referentiel,
    version,
    chapitres: chapters.map(({ chapter, title, sections }) => ({
      chapitre: chapter,
      titre: title,
      sections: sections.map(({ section, title: titre }) => ({
        section,
        titre,
        exigences: requirements.filter((exigence) => exigence.startsWith(`${section}.`)),
      })),
    })),
  })),
};
