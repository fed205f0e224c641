// The texts in the corners of the pictures: what the series is, the window, the slice. Nothing of the patient.

import { sitting } from './sitting.js';

/** @param {any} instance of the slice in view */
function sequenceOf(instance) {
  const series = sitting.room?.state.task?.series.find((/** @type {any} */ one) => one.uid === instance?.SeriesInstanceUID);
  return series ? series.sequence : instance?.SeriesDescription ?? '';
}

/** OHIF's customizations of the viewport overlay. */
export const overlayTexts = () => ({
  'viewportOverlay.topLeft': {
    $set: [
      {
        id: 'Sequence', inheritsFrom: 'ohif.overlayItem', label: '', title: 'Sequence',
        condition: ({ referenceInstance }) => referenceInstance,
        contentF: ({ referenceInstance }) => sequenceOf(referenceInstance),
      },
    ],
  },
  'viewportOverlay.topRight': { $set: [] },
  'viewportOverlay.bottomLeft': { $set: [{ id: 'WindowLevel', inheritsFrom: 'ohif.overlayItem.windowLevel' }] },
  'viewportOverlay.bottomRight': { $set: [{ id: 'InstanceNumber', inheritsFrom: 'ohif.overlayItem.instanceNumber' }] },
});
