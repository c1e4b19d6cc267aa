package store

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// maxPrepared bounds the statements kept. A batch needs four, and four more for mentions and replies, each for nine lengths of list.
const maxPrepared = 80

// preparedStatements are the writer's, kept from one transaction to the next: without them MySQL's driver asks the server three times for
// each, and the pure-Go SQLite compiles each anew. PostgreSQL's driver and the usual SQLite's do this by themselves. GORM's own cache
// prepares anew in each transaction, and has a goroutine that never ends. For one goroutine.
type preparedStatements struct {
	db     *sql.DB
	byText map[string]*sql.Stmt
	wanted []string // met in the transaction at hand, to be prepared after it: the pool may have no second connection
}

func newPreparedStatements(db *sql.DB) *preparedStatements {
	return &preparedStatements{db: db, byText: make(map[string]*sql.Stmt)}
}

// use makes tx run what is prepared.
func (p *preparedStatements) use(tx *gorm.DB) {
	if t, ok := tx.Statement.ConnPool.(*sql.Tx); ok && p != nil {
		p.wanted = p.wanted[:0]
		tx.Statement.ConnPool = &preparedTx{Tx: t, prepared: p}
	}
}

// prepare is called after a transaction that went well. What cannot be prepared now is tried again when it is used again.
func (p *preparedStatements) prepare(ctx context.Context) {
	if p == nil {
		return
	}
	for _, query := range p.wanted {
		if len(p.byText) >= maxPrepared {
			break
		}
		if stmt, err := p.db.PrepareContext(ctx, query); err == nil {
			p.byText[query] = stmt
		}
	}
	p.wanted = p.wanted[:0]
}

func (p *preparedStatements) close() error {
	if p == nil {
		return nil
	}
	var errs []error
	for _, stmt := range p.byText {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// preparedTx is a transaction that runs prepared statements.
type preparedTx struct {
	*sql.Tx
	prepared *preparedStatements
}

var (
	_ gorm.ConnPool    = (*preparedTx)(nil)
	_ gorm.TxCommitter = (*preparedTx)(nil)
)

func (t *preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := t.stmt(query); stmt != nil {
		return t.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

func (t *preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := t.stmt(query); stmt != nil {
		return t.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

func (t *preparedTx) stmt(query string) *sql.Stmt {
	stmt, ok := t.prepared.byText[query]
	if !ok {
		t.prepared.wanted = append(t.prepared.wanted, query)
	}
	return stmt
}
