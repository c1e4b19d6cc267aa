package store_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/echochat/echochat/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "chat")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	st, err := store.Open(filepath.Join(dir, "chat.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = st.Close() }()

	ctx := context.Background()
	ann := store.User{ID: "42", Name: "Ann"}
	if _, err := st.CreateRoom(ctx, store.RoomDraft{ID: "general", Creator: ann}); err != nil {
		log.Fatal(err)
	}
	for range 2 { // the second one is a retry: it gets the same answer, and nothing is stored twice
		m, duplicate, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, ClientID: "a1", Text: "Hello"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Seq, m.Text, duplicate)
	}
	page, err := st.History(ctx, store.HistoryQuery{RoomID: "general", Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range page.Messages {
		fmt.Printf("%s: %s\n", m.Sender.Name, m.Text)
	}
	// Output:
	// 1 Hello false
	// 1 Hello true
	// Ann: Hello
}

// The chat's tables live in the application's own database, beside its own.
func ExampleNew() {
	db, err := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")))
	if err != nil {
		log.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		log.Fatal(err) // says what to change, if the server's settings do not keep what was confirmed
	}
	defer func() { _ = st.Close() }()
}
