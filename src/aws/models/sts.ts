import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const stsModel: ServiceModel = {
  name: 'sts',
  protocols: ['query'],
  version: '2011-06-15',
  xmlNamespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
  unsigned: ['AssumeRoleWithWebIdentity', 'AssumeRoleWithSAML'],
  schemas: () => import('@aws-sdk/client-sts/dist-es/schemas/schemas_0.js'),
};
