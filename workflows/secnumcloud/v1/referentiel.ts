import secnumcloud32 from './secnumcloud-3.2.json' with { type: 'json' };

/** A référentiel at a fixed version: what a service is qualified against. */
export type Version = { nom: string; version: string };

const KNOWN = [secnumcloud32].map(({ referentiel, version, requirements }) => ({
  nom: referentiel,
  version,
  exigences: new Set(requirements),
}));

function find({ nom, version }: Version) {
  return KNOWN.find((known) => known.nom === nom && known.version === version);
}

/** Whether this workflow evaluates against that version. */
export function estConnu(referentiel: Version): boolean {
  return find(referentiel) !== undefined;
}

/** Whether that version has a requirement of this number (`5.1.a`). */
export function comporte(referentiel: Version, exigence: string): boolean {
  return find(referentiel)?.exigences.has(exigence) ?? false;
}
