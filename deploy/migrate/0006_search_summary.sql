-- What a list shows of a search that ended, so that nobody reads a million candidates for it.
ALTER TABLE search ADD COLUMN proposed INTEGER;
ALTER TABLE search ADD COLUMN scored INTEGER;
ALTER TABLE search ADD COLUMN failed INTEGER;
ALTER TABLE search ADD COLUMN best INTEGER;
UPDATE search SET
    proposed = (SELECT count(*) FROM candidate c WHERE c.search = search.id),
    scored = (SELECT count(*) FROM candidate c WHERE c.search = search.id AND c.state = 'scored'),
    failed = (SELECT count(*) FROM candidate c WHERE c.search = search.id AND c.state = 'failed'),
    best = (SELECT idx FROM candidate c WHERE c.search = search.id AND c.state = 'scored'
            ORDER BY 1.0 * c.n_correct / c.n_images DESC, coalesce(c.loss_sum, 9e999) / c.n_images, c.idx LIMIT 1)
WHERE state IN ('done', 'cancelled', 'failed');
