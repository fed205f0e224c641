// The heat map of the level over the pixels it belongs to, moving with the picture.

import { onScreen } from './camera.js';
import { core } from './ohif.js';

/** @typedef {import('./stage.js').Pane} Pane */

export class HeatMap {
  constructor() {
    /** @type {(() => void)[]} */
    this.undo = [];
  }

  /**
   * @param {Pane} pane @param {{png: string, box: import('./geometry.js').Box}} map pixels of the slice in view
   */
  lay(pane, { png, box }) {
    const { viewport, series, index } = pane;
    const { imageId, plane } = series.slices[index];
    const picture = document.createElement('img');
    picture.src = png;
    picture.dataset.testid = `heatmap-${pane.id}`;
    picture.alt = 'Where the classifier looked';
    Object.assign(picture.style, {
      position: 'absolute', left: '0', top: '0', width: '100px', height: '100px', maxWidth: 'none',
      transformOrigin: '0 0', pointerEvents: 'none', opacity: '0.8', mixBlendMode: 'screen',
    });
    const host = viewport.element.querySelector('.viewport-element') ?? viewport.element;
    host.insertBefore(picture, host.querySelector('svg'));
    const place = () => {
      picture.hidden = viewport.getCurrentImageId() !== imageId;
      const [from, right, down] = onScreen(viewport, plane, box);
      const parts = [right[0] - from[0], right[1] - from[1], down[0] - from[0], down[1] - from[1]].map((part) => part / 100);
      picture.style.transform = `matrix(${[...parts, from[0], from[1]].join(',')})`;
    };
    place();
    const { IMAGE_RENDERED } = core().Enums.Events;
    viewport.element.addEventListener(IMAGE_RENDERED, place);
    this.undo.push(() => {
      viewport.element.removeEventListener(IMAGE_RENDERED, place);
      picture.remove();
    });
  }

  get shown() {
    return this.undo.length > 0;
  }

  clear() {
    for (const off of this.undo.splice(0)) off();
  }
}
