package chat

import (
	_ "embed"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

//go:generate go test . -run ^TestGenerated$ -update

// openAPI describes the routes. It is made of the table of operations.
//
//go:embed openapi.json
var openAPI string

// openAPIPath is where the description is, below apiPath.
const openAPIPath = "/openapi.json"

// serveOpenAPI answers with the description of the routes: to whomever asks, as it says nothing that is not public.
func (c *Chat) serveOpenAPI(ec echo.Context) error {
	if err := c.checkOrigin(ec); err != nil {
		return c.writeError(ec, err)
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(openAPI))
	header := ec.Response().Header()
	header.Set("ETag", fmt.Sprintf(`"%x"`, sum.Sum64()))
	header.Set(echo.HeaderCacheControl, "no-cache") // ask again each time: it is of this version of the server
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	http.ServeContent(ec.Response(), ec.Request(), "", time.Time{}, strings.NewReader(openAPI))
	return nil
}
