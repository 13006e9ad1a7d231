<p>Open on <?= implode(" and ", ["Monday", "Tuesday"]) ?>.</p>
