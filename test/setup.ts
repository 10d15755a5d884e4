import { configureGlobal } from 'fast-check';
import { propertySeed } from './property-seed.ts';

const seed = propertySeed(process.env);
if (seed !== undefined) configureGlobal({ seed });
