import { defineWorkflow, factsOf } from '@jalon/flow';
import type { Context } from './context.ts';
import { expected } from './expected.ts';
import * as facts from './facts.ts';
import { machine } from './machine.ts';
import { reasons, routing } from './reasons.ts';
import { CHARGE, parties, roles } from './roles.ts';

/** The qualification of a service against SecNumCloud, version 1. */
export const secnumcloud = defineWorkflow({
  name: 'secnumcloud',
  version: 1,
  label: "Qualification SecNumCloud d'un service d'informatique en nuage",
  machine,
  facts: factsOf(facts),
  reasons,
  expected,
  routing,
  roles,
  parties,
  versionChangedBy: [CHARGE],
  keyed: ['audits', 'constats'],
  // From the decision on, as the register says.
  isPublic: ({ decision }: Context) => decision?.valideJusquAu != null,
  exposes: ({ renouvelleDe }: Context) => ({ renouvelleDe }),
});
