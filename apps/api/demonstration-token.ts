import { OneOf, Text } from '@jalon/flow';
import { catalogue } from '@jalon/workflows';

const ROLES = [...new Set(catalogue.workflows.flatMap(({ roles }) => Object.keys(roles)))].filter(
  (role) => role !== 'horloge',
);

/** Roles that act for an organisation. */
export const PARTIES: ReadonlySet<string> = new Set(catalogue.workflows.flatMap(({ parties }) => Object.keys(parties)));

/** What a demonstration token is asked with. */
export class DemonstrationToken {
  @OneOf(ROLES, { label: 'Rôle' }) role!: string;
  @Text({ label: 'Identifiant', max: 128, optional: true }) sub?: string;
  @Text({ label: 'Nom', max: 200, optional: true }) nom?: string;
  @Text({ label: 'Organisation', hint: 'Requise du prestataire et du centre', max: 200, optional: true }) org?: string;
}
