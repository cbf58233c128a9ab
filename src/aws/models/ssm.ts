import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const ssmModel: ServiceModel = {
  name: 'ssm',
  protocols: ['awsJson1_1'],
  version: '2014-11-06',
  target: 'AmazonSSM',
  schemas: () => import('@aws-sdk/client-ssm/dist-es/schemas/schemas_0.js'),
};
