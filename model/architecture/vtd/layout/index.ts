/** Bit layouts of VT-d in scalable mode: the one place where they are written down. */
export { decode, encode, read, type FieldValues } from '../../arm/layout/layout.ts';
export * from './descriptor.ts';
export * from './pasid.ts';
